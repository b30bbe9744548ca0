/** A cipher to be broken: each byte of a text is combined with a letter of a short key that repeats. */

/** Enciphers a text; deciphering is the same. */
export function combine(bytes: Uint8Array, key: string): Uint8Array {
  return bytes.map((byte, at) => byte ^ key.charCodeAt(at % key.length));
}

/** Combinations of so many letters, in order. */
export function* keysOf(length: number): Generator<string> {
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  if (length === 0) yield '';
  else for (const letter of letters) for (const rest of keysOf(length - 1)) yield letter + rest;
}

/** Whether bytes could be an English sentence: letters, spaces and a little punctuation, and nothing else. */
export function looksWritten(bytes: Uint8Array): boolean {
  return bytes.every(
    (byte) => (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a) || marks.has(byte),
  );
}

const marks = new Set(Buffer.from(" ,.;:'!?-"));

/** How English a text looks: the share of it that is spaces and the six most frequent letters. */
export function scoreText(text: string): number {
  return (text.match(/[ etaoin]/gi)?.length ?? 0) / text.length;
}
