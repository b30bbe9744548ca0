/** Texts as JavaScript has them: any sequence of 16-bit units, which is more than UTF-8 can hold. */

interface EngineText {
  isWellFormed(): boolean;
}

/** Whether a text has no lone surrogate. Node 20 has the method; the types of ES2023 do not. */
export function isWellFormed(text: string): boolean {
  return (text as unknown as EngineText).isWellFormed();
}
