/** A jugfile that declares no task. */
export const answer = 42;
