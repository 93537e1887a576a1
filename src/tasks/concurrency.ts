/**
 * How many tasks may be active at the API at once. Its limit is not published, so it is learned: permits rise by
 * one with each accepted task while more are waiting, until a 429 says what the limit is; after that a rise is tried
 * only now and then. Pure: every function gives a new state.
 */
export type Concurrency = {
  /** As many tasks as may be active at once. */
  permits: number;
  /** Permits taken, for creates that have no answer yet and for accepted tasks that are not over. */
  active: number;
  /** Of these, the tasks that the API has accepted. */
  accepted: number;
  /** A number set by the operator is never changed. */
  fixed: boolean;
  /** Accepted tasks to go before one more permit is tried. */
  acceptsUntilRise: number;
};

/** After a refusal: one try above the learned limit per this many accepted tasks keeps refusals at 2 in 100. */
const ACCEPTS_BETWEEN_TRIES = 50;

export function startConcurrency(limit: "auto" | number): Concurrency {
  const permits = limit === "auto" ? 1 : limit;
  return { permits, active: 0, accepted: 0, fixed: limit !== "auto", acceptsUntilRise: 0 };
}

export function hasFreePermit({ permits, active }: Concurrency): boolean {
  return active < permits;
}

export function take(state: Concurrency): Concurrency {
  return { ...state, active: state.active + 1 };
}

export function giveBack(state: Concurrency, wasAccepted: boolean): Concurrency {
  const accepted = wasAccepted ? Math.max(0, state.accepted - 1) : state.accepted;
  return { ...state, active: Math.max(0, state.active - 1), accepted };
}

/** The API took a task. `moreWaiting`: others would start now if they might. */
export function learnAccepted(state: Concurrency, moreWaiting: boolean): Concurrency {
  const accepted = state.accepted + 1;
  if (state.fixed) return { ...state, accepted };
  const acceptsUntilRise = Math.max(0, state.acceptsUntilRise - 1);
  const rises = moreWaiting && accepted >= state.permits && acceptsUntilRise === 0;
  return { ...state, accepted, acceptsUntilRise, permits: rises ? state.permits + 1 : state.permits };
}

/** A 429: the tasks that were really active are the limit. */
export function learnRefused(state: Concurrency): Concurrency {
  if (state.fixed) return state;
  return { ...state, permits: Math.max(1, state.accepted), acceptsUntilRise: ACCEPTS_BETWEEN_TRIES };
}
