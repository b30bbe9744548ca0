/**
 * Hashes that must never change: results are stored under them.
 *
 * A failure here means that every result stored so far would be lost. If that is meant, the version of the form in
 * `core/canonical.ts` goes up, and all of these are pinned anew.
 */
import { hashKey, type Identity } from '../../core/canonical.ts';

/** A call of a task function. */
export interface Call {
  readonly name?: string;
  readonly version?: number | string;
  readonly args: readonly unknown[];
}

/** What a vector uses for a task and all else that has an identity. */
export class Stand {
  readonly identity: Identity;
  constructor(identity: Identity) {
    this.identity = identity;
  }
}

/** Tells what a `Stand` stands for. */
export function identify(value: object): Identity | undefined {
  return value instanceof Stand ? value.identity : undefined;
}

const task = new Stand({ kind: 'task', id: 'g.abcdefghijklmnopqrstuvwxyz234567' });

class Keyed {
  readonly [hashKey]: () => unknown;
  constructor(key: unknown) {
    this[hashKey] = () => key;
  }
}

export const calls: Readonly<Record<string, Call>> = {
  'no arguments': { args: [] },
  'another function': { name: 'lib/g-2_x', args: [] },
  'version 1': { version: 1, args: [] },
  'version "1"': { version: '1', args: [] },
  undefined: { args: [undefined, 1] },
  null: { args: [null] },
  true: { args: [true] },
  false: { args: [false] },
  '0': { args: [0] },
  '-0': { args: [-0] },
  '1': { args: [1] },
  '-1': { args: [-1] },
  '2^31 - 1': { args: [2 ** 31 - 1] },
  '2^31': { args: [2 ** 31] },
  '0.1': { args: [0.1] },
  '1e300': { args: [1e300] },
  NaN: { args: [NaN] },
  Infinity: { args: [Infinity] },
  '-Infinity': { args: [-Infinity] },
  '1n': { args: [1n] },
  '-2n ** 100n': { args: [-(2n ** 100n)] },
  'empty text': { args: [''] },
  'text 1': { args: ['1'] },
  'text of 48 letters': { args: ['a'.repeat(48)] },
  'text of 300 letters': { args: ['a'.repeat(300)] },
  'text of 100,000 letters': { args: ['a'.repeat(100_000)] },
  'text beyond ASCII': { args: ['ü水🙂'] },
  'lone surrogate': { args: ['\ud800'] },
  'U+FFFD': { args: ['\ufffd'] },
  'empty array': { args: [[]] },
  '[1, 2]': { args: [[1, 2]] },
  '[1], 2': { args: [[1], 2] },
  '[[1], 2]': { args: [[[1], 2]] },
  '[[1, 2]]': { args: [[[1, 2]]] },
  '[undefined]': { args: [[undefined]] },
  'empty object': { args: [{}] },
  '{ a, b }': { args: [{ b: 2, a: 1 }] },
  '{ a: undefined }': { args: [{ a: undefined }] },
  'key __proto__': { args: [JSON.parse('{"__proto__": 1}')] },
  'empty Map': { args: [new Map()] },
  Map: { args: [new Map<unknown, unknown>([['b', 2], ['a', 1], [1, 0]])] }, // prettier-ignore
  'empty Set': { args: [new Set()] },
  Set: { args: [new Set([3, 1, 2])] },
  'array of a Set': { args: [[1, 2, 3]] },
  Date: { args: [new Date('2024-02-29T12:00:00.001Z')] },
  'invalid Date': { args: [new Date(NaN)] },
  RegExp: { args: [/a\/b/gi] },
  'RegExp as text': { args: ['/a\\/b/gi'] },
  URL: { args: [new URL('https://example.org/a?b#c')] },
  Error: { args: [new Error('wrong')] },
  TypeError: { args: [new TypeError('wrong')] },
  'Error with cause and code': {
    args: [Object.assign(new Error('wrong', { cause: 1 }), { code: 'E' })],
  },
  Uint8Array: { args: [new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])] },
  Uint8ClampedArray: { args: [new Uint8ClampedArray([1, 2, 3, 4, 5, 6, 7, 8])] },
  Int8Array: { args: [new Int8Array([1, 2, 3, 4, 5, 6, 7, 8])] },
  Uint16Array: { args: [new Uint16Array([0x0201, 0x0403, 0x0605, 0x0807])] },
  Int16Array: { args: [new Int16Array([0x0201, 0x0403, 0x0605, 0x0807])] },
  Uint32Array: { args: [new Uint32Array([0x04030201, 0x08070605])] },
  Int32Array: { args: [new Int32Array([0x04030201, 0x08070605])] },
  Float32Array: { args: [new Float32Array([1.5, -0])] },
  Float64Array: { args: [new Float64Array([1.5, -0])] },
  BigUint64Array: { args: [new BigUint64Array([0x0807060504030201n])] },
  BigInt64Array: { args: [new BigInt64Array([0x0807060504030201n])] },
  ArrayBuffer: { args: [new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer] },
  DataView: { args: [new DataView(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer)] },
  '100,000 bytes': { args: [new Uint8Array(100_000).fill(7)] },
  '[hashKey]() gives "k"': { args: [new Keyed('k')] },
  task: { args: [task] },
  'task in a structure': { args: [{ a: [task], b: new Map([['t', task]]) }] },
  'id of the task': { args: ['g.abcdefghijklmnopqrstuvwxyz234567'] },
  'task function': { args: [new Stand({ kind: 'function', name: 'g' })] },
  'part of a result': {
    args: [new Stand({ kind: 'part', of: 'g.abcdefghijklmnopqrstuvwxyz234567', path: ['a', 0] })],
  },
  'part of a result, by a result': {
    args: [new Stand({ kind: 'part', of: 'g.abcdefghijklmnopqrstuvwxyz234567', path: [task] })],
  },
  'part of a result, by a function': {
    args: [
      new Stand({
        kind: 'part',
        of: 'g.abcdefghijklmnopqrstuvwxyz234567',
        path: [-1, new Stand({ kind: 'function', name: 'g' })],
      }),
    ],
  },
  'value after tasks': {
    args: [new Stand({ kind: 'after', value: 1, tasks: [task, task] })],
  },
  'value after no tasks': { args: [new Stand({ kind: 'after', value: 1, tasks: [] })] },
  'just its value': { args: [new Stand({ kind: 'value', value: [1, task] })] },
  'file by content': { args: [new Stand({ kind: 'digest', tag: 'file', digest: 'abc' })] },
  'what must not count': { args: [new Stand({ kind: 'nothing' })] },
};

export const hashes: Readonly<Record<string, string>> = {
  '0': 'lnvywtdbekqvyse52futuvwhhss7unx2',
  '1': 'swcy3osyhx4pienqcniwwnm2vrtujsph',
  'no arguments': 'afyr2nykpgfvqn4hp7vtvgc6x5wqksom',
  'another function': 'pwtnowiyap4ghsw43au23j7xemymtaad',
  'version 1': 'fmlwmbz5qsggidrj3bom7fj2ylvnv5n2',
  'version "1"': '6lk5fdd772kv5clzcqdqgvnenih3z2xl',
  undefined: 'bfygpuo7i5ywhzxqt6t6qe6s4orwap76',
  null: 'ers6bjsus2wfe6zdpwrdgz3yhoks7oed',
  true: 'boxq7jxoserxtccubnsauewfut6srevj',
  false: 'xdlhs5pjkjgluoenqt7fzgefdpkzdqtq',
  '-0': 'zhydmrfsrgckphc4mb57s4czma76gyzl',
  '-1': 'stuxbm4pwwccai2samqfggkrvpugji4h',
  '2^31 - 1': 'f3gxbrmk33yukverl4hsc6kd7qoxgcul',
  '2^31': 'xw7nlzdxqnt34iy73uznz5pgkx2uhl7s',
  '0.1': '5nxelueuqwzv3lq5idc7cvg2fxcvv7sz',
  '1e300': 'ckeqtolt4cuabq5lbgrkvk52b54fhdon',
  NaN: 'xju3luva7yazb656ws7nxjmpowllw3qh',
  Infinity: 'bcexev2amavqssnsrczhy7cpbu7kejcu',
  '-Infinity': 'qrgew5orfhmv5z2evebv6q2ut5oqpoi6',
  '1n': 'mymexeajtiiueopa7fz532zx75ntme3a',
  '-2n ** 100n': 'wucl5cujwzgex4qkb6lyxqw4gsk4slfu',
  'empty text': 'ov2qkwmgiljpvnfytswcp76xufs7z3cd',
  'text 1': 'i4sh3essvlpfrfwwgoslzhkb2etuyz7m',
  'text of 48 letters': 'gwpjenuer3ai3lp2swtpbbahnul2dgge',
  'text of 300 letters': 'kgwumzh2z3vnhsxcyt2lgre37nsd34xc',
  'text of 100,000 letters': 'gmnknzhws3ha7sr2tz4ledzp4vkdibou',
  'text beyond ASCII': 'frmrw5vqu4i4kbqpoiihqc5dexs2t5ws',
  'lone surrogate': '3ab43vyndg46ygqpnhwaunwar2uzyj5k',
  'U+FFFD': 'rciawdokc7plp6njcb3fbbwmiv6gizgj',
  'empty array': 'fxj65ojnojbcp26xn5qmr2juzjki5ypl',
  '[1, 2]': 'ctrn3smzwsuusyb32m3xjrbu2scr6iqp',
  '[1], 2': 'djquqdnqz5crlmxfk2hxwukip63qfg7l',
  '[[1], 2]': '25ffxxcrl6f5eelf6lhyukeqslft7wui',
  '[[1, 2]]': 'hdr7ngsnwnn66ueedct2xfxvgiqi7dtv',
  '[undefined]': 'hpwidu6x7rvdul35zkddtj424h4icbn7',
  'empty object': 'ppna5j72snrxmlizw5jslvvbuewdc5up',
  '{ a, b }': 'mjkiuwvlsn27am3vzc2qe7yje25dqryf',
  '{ a: undefined }': '7rdaux457o3fa3l7kvxo2bl3jk5rogzg',
  'key __proto__': 'l6vtnsbfv6gnon6zllzxlpmaltgwo5fl',
  'empty Map': '6i7itovxh3k5zf4cwccfua44uc7rxeme',
  Map: 'l4aak3kpiz4vklbrxthnlrcxpz5vgrnb',
  'empty Set': 'rsbxwstc2c3voqjqvpedykeedcix5ov3',
  Set: 'gekfm7yni5dr45m3mej4hikmmvnsqaxx',
  'array of a Set': 'v3pipeqjxmsqaz5fyhxwsxxnawojjcxv',
  Date: 'qi6d4hdycze6vzcqnhunkodg6gw5dgvp',
  'invalid Date': 'ppbyi6cefu4hvfchffq7qqmfsljclt5a',
  RegExp: 'vdjtofpof4h44j7655sg4usfzh6ugu2a',
  'RegExp as text': 'gszmgejg4tgpbowpnx7gomdi55it3j4e',
  URL: 'ppyl5gy6dz4rs7p56bp3kxao5aazl5oa',
  Error: 'dt5acme7vbgxvok35pz3csxxm2wkm5sl',
  TypeError: 'pnf4vjtuve5ifrqf4es3yt2oqjgyggw6',
  'Error with cause and code': 'ckhsnarwnqubi4wxhmxkjpmi2qqn6yhu',
  Uint8Array: 'ct4qzyyrr5r7latsmuujx4hj22getokl',
  Uint8ClampedArray: 'gpqnnfg5jglrbu3hq5ith7ib6gcwrakv',
  Int8Array: 'mufi3jcktfwbdj3amm7dbsnwjmi2hrsq',
  Uint16Array: 'yja3zjojhejhvcmcwy7pjykhfjnhrqwa',
  Int16Array: 'q3fjmsydpi6xepw7cw27x37hhyxphrgk',
  Uint32Array: 'yh2s7mq6uaqfi6lo2lyr3jjvk3kw6pqk',
  Int32Array: 'sdfu722s7hmailbrbmrfvy6tehya5nor',
  Float32Array: 'ymf3vhxzdk5m5engl3tpylyjqbbuokrx',
  Float64Array: 'avgwpbun77sne5noodzca352hi4ebl7h',
  BigUint64Array: 'uylp2usacqet3iclu2onhkad2v45jpsq',
  BigInt64Array: 'yizfxdn37mrc6mthvww65rwffo54bp7r',
  ArrayBuffer: '2ibrikay64hjnoj5sqjacvrmon5yplxq',
  DataView: 'xwizbkecch2vebpmx4ptunly6n4ki5yd',
  '100,000 bytes': 'nlvidurftrtnlv7fcfkobnaiaon7vuct',
  '[hashKey]() gives "k"': '5c2vpp3yabmoz45skb2gnz2hm2ihrahp',
  task: '45zifccgtwllnjwsb67zemwmod4qqoeo',
  'task in a structure': '3rmzxacm33qg4z3z6hblssphg6xb3aax',
  'id of the task': 'htgp2tiqhuv3rbhmi6egvpfploaqjbeu',
  'task function': 'whpmox7nhz72ze5cnviukkdagt3t5g2p',
  'part of a result': '7563x3rqmq3seterov6ek3sfnpwwilqt',
  'part of a result, by a result': 'hveyef7uh3px6iwzevsf3nf6awv3btst',
  'part of a result, by a function': 'vsmxcseribqigqrc7qcdom5g2btdrzx5',
  'value after tasks': 'yzpq3qruuhftdcen557foymrghg3z44t',
  'value after no tasks': 'c4gj7nfokrxdg743neo22vftxyo4oyeg',
  'just its value': 'enofhwq7h64jtq4h4dhigg2xawhujrl2',
  'file by content': 'uf6fdu2dnq2srchzfqcj6drimc3pa4wz',
  'what must not count': 'sny52qbgi5skenavbz657ulq3wminmdr',
};
