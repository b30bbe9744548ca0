/** Where inside an argument or a result something stands, as a user would write it. */

/** One step down: a property, an index, or a place in a Map or Set. */
export type Step = string | number | MemberStep | { readonly kind: 'hashKey' };

/** A place in a Map or Set, which has no notation of its own unless a Map's key is a text or a number. */
export interface MemberStep {
  readonly kind: 'key' | 'value' | 'item';
  readonly position: number;
  readonly key?: unknown;
}

/** A path of a thousand steps would bury what the message says. */
const stepsShownMax = 24;

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** The path in JavaScript's own notation: `result.rows[3]["odd key"].get("a")`. */
export function renderPath(root: string, steps: readonly Step[]): string {
  const shown = steps.map(renderStep);
  if (shown.length > stepsShownMax)
    shown.splice(stepsShownMax - 4, shown.length - stepsShownMax, '…');
  return root + shown.join('');
}

function renderStep(step: Step): string {
  if (typeof step === 'number') return `[${step.toString()}]`;
  if (typeof step === 'string') {
    return identifier.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
  }
  if (step.kind === 'hashKey') return '[hashKey]()';
  if (step.kind === 'value' && (typeof step.key === 'string' || typeof step.key === 'number')) {
    return `.get(${JSON.stringify(step.key)})`;
  }
  return ` (${step.kind} ${step.position.toString()})`;
}
