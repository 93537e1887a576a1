/** What is worth keeping over a restart, for one key. */
export type LearnedLimit = {
  /** How many tasks the API allows to be active at once. */
  limit: number;
};

/**
 * How many tasks may be active at the API at once. Its limit is not published, so it is learned: permits rise by one
 * with each accepted task while more are waiting, until a 429 says that the others that are active are all it allows.
 *
 * - A rise above that is a try, and has to be earned: each refused one costs accepted tasks. That bounds refusals, also
 *   where a try succeeds falsely because a task of ours was over and we had not noticed.
 * - A 429 well below the limit means that others use the key, or that the plan shrank. Then permits are lowered at once,
 *   tried again after some minutes, and taken for the limit when that fails for long.
 *
 * Pure: every function gives a new state.
 */
export type Concurrency = {
  /** As many tasks as may be active at once, now. */
  readonly permits: number;
  /** Permits taken, for creates that have no answer yet and for accepted tasks that are not over. */
  readonly active: number;
  /** Of these, the tasks that the API has accepted. */
  readonly accepted: number;
  /** A limit set by the operator is never changed. */
  readonly fixed: boolean;
  /** The API's limit as far as it is known; undefined before the first refusal. */
  readonly limit: number | undefined;
  /** Up to here permits rise freely; beyond it they are tried. */
  readonly ceiling: number;
  /** Accepted tasks to go before a rise above the limit is tried. */
  readonly debt: number;
  /** Whether the API accepted a task while all the permits there are now were in use. */
  readonly isProven: boolean;
  /** Such tasks since the number of permits last changed. */
  readonly steady: number;
  /** Accepted tasks since the last surprise. As many creates as that allows may be without an answer. */
  readonly trust: number;
  /** Counts the refusals that changed something, so that one of a create from before is known. */
  readonly epoch: number;
  /** Refusals with no accepted task between them. */
  readonly refusedInARow: number;
  /** While there are fewer permits than the limit, because the API refused them. */
  readonly lowered: Lowered | undefined;
};

/** `isTrying`: one permit more than is known to be good has been given out. Times in ms. */
type Lowered = {
  readonly tryAt: number;
  readonly waitMs: number;
  readonly failures: number;
  readonly isTrying: boolean;
};

/** More than the operator may set would be no learned limit but an API that knows none. */
const MAX_PERMITS = 1_000;
/** What a refused try costs: one refusal in 60 accepted tasks. */
const ACCEPTS_PER_REFUSAL = 60;
const MAX_DEBT = 600;
/** A refusal this close below the limit, as a share of it, is the noise of completions that nobody noticed yet. */
const NOISE = 0.05;
/** As many accepted tasks without a refusal show that a new number of permits is right. */
const ACCEPTS_TO_CONFIRM = 20;
/** The second refusal in a row that is no noise, and each after it, takes so much of the permits away. */
const FALL = 0.3;
const FIRST_TRY_MS = 60_000;
const LONGEST_TRY_MS = 8 * 60_000;
/** After 1 + 2 + 4 + 5 x 8 minutes a lower number is taken for the limit. */
const TRIES_BELOW_LIMIT = 8;
/** One create more may be without an answer for every so many accepted tasks. */
const ACCEPTS_PER_CREATE = 4;

/** `learned` comes from a store: what makes no sense is not used. */
export function startConcurrency(limit: "auto" | number, learned?: LearnedLimit): Concurrency {
  const fixed = limit !== "auto";
  const known = fixed ? limit : readLimit(learned);
  return {
    permits: known ?? 1,
    active: 0,
    accepted: 0,
    fixed,
    limit: known,
    ceiling: known ?? 1,
    debt: known === undefined ? 0 : ACCEPTS_PER_REFUSAL,
    isProven: false,
    steady: 0,
    trust: fixed ? Number.POSITIVE_INFINITY : 0,
    epoch: 0,
    refusedInARow: 0,
    lowered: undefined,
  };
}

function readLimit(learned: LearnedLimit | undefined): number | undefined {
  const limit: unknown = learned?.limit;
  return Number.isInteger(limit) && Number(limit) >= 1 ? Math.min(Number(limit), MAX_PERMITS) : undefined;
}

/** Whether one more create may be sent. */
export function hasFreePermit({ permits, active, accepted, trust }: Concurrency): boolean {
  return active < permits && active - accepted <= Math.floor(trust / ACCEPTS_PER_CREATE);
}

/** A create is sent. What it came to is judged by the state before: give that to `learn...` with its answer. */
export function take(state: Concurrency): Concurrency {
  return { ...state, active: state.active + 1 };
}

/** A task is active at the API already: it shows that the limit is no lower, but it is not a try that succeeded. */
export function adopt(state: Concurrency): Concurrency {
  const [active, accepted] = [state.active + 1, state.accepted + 1];
  if (state.fixed) return { ...state, active, accepted };
  const most = Math.min(accepted, MAX_PERMITS);
  const [permits, ceiling] = [Math.max(state.permits, most), Math.max(state.ceiling, most)];
  const lowered = permits < (state.limit ?? 0) ? state.lowered : undefined;
  const isProven = accepted >= permits || state.isProven;
  return { ...state, active, accepted, permits, ceiling, lowered, isProven };
}

export function giveBack(state: Concurrency, wasAccepted: boolean): Concurrency {
  const accepted = wasAccepted ? state.accepted - 1 : state.accepted;
  return { ...state, active: state.active - 1, accepted };
}

/** The key did not work for a while, so what is known may be out of date: one goes first. */
export function distrust(state: Concurrency): Concurrency {
  return { ...state, trust: 0 };
}

/** While permits are lowered: when one more is to be tried. */
export function nextTry({ lowered, permits, ceiling, limit = 0, active }: Concurrency): number | undefined {
  const isFull = active >= permits && permits >= ceiling && permits < limit;
  return lowered && !lowered.isTrying && isFull ? lowered.tryAt : undefined;
}

/** Somebody waits: gives out one more permit if all are in use and one more may be. */
export function raise(state: Concurrency, now: number): Concurrency {
  const { permits, ceiling, active, fixed, lowered, debt, isProven } = state;
  if (active < permits || permits >= MAX_PERMITS) return state;
  if (lowered && now >= (nextTry(state) ?? Number.POSITIVE_INFINITY))
    return { ...state, permits: permits + 1, lowered: { ...lowered, isTrying: true } };
  const isTry = permits >= ceiling;
  if (!isProven || (isTry && (fixed || lowered || debt > 0))) return state;
  const more = { permits: permits + 1, ceiling: Math.max(ceiling, permits + 1) };
  return { ...state, ...more, isProven: false, steady: 0 };
}

/** The API took a task. `sent`: the state before its create. */
export function learnAccepted(before: Concurrency, sent: Concurrency): Concurrency {
  const state = { ...before, accepted: before.accepted + 1, debt: Math.max(0, before.debt - 1) };
  const answered = { ...endTry(state, sent), trust: state.trust + 1, refusedInARow: 0 };
  const areAllUsed = state.active >= state.permits && sent.permits === state.permits;
  return areAllUsed ? confirm(answered) : answered;
}

/** A try that succeeds shows that permits may return to the limit. */
function endTry(state: Concurrency, sent: Concurrency): Concurrency {
  const { lowered, limit } = state;
  if (!lowered || limit === undefined) return state;
  if (state.active >= limit) return { ...state, ceiling: Math.max(state.ceiling, limit), lowered: undefined };
  if (!sent.lowered?.isTrying || !lowered.isTrying) return state;
  return { ...state, ceiling: limit, lowered: { ...lowered, isTrying: false } };
}

/** Permits that were all in use are good; when that was so for a while without a refusal, they are the limit. */
function confirm(state: Concurrency): Concurrency {
  const { permits, limit, lowered, fixed } = state;
  const steady = state.steady + 1;
  const isLimit = !fixed && !lowered && limit !== undefined && steady >= ACCEPTS_TO_CONFIRM;
  return { ...state, isProven: true, steady, limit: isLimit ? permits : limit };
}

/**
 * A 429 for a create that still has its permit. `sent`: the state before its create. All others that have a permit are
 * taken for really active; those of them that are refused too are subtracted when their answer comes.
 */
export function learnRefused(state: Concurrency, sent: Concurrency, now: number): Concurrency {
  const isFirst = sent.epoch === state.epoch;
  const isTry = isFirst && state.lowered?.isTrying === true;
  const found = isFirst ? Math.max(sent.active, state.active - 1) : state.ceiling - 1;
  const ceiling = Math.max(1, state.fixed ? Math.min(found, state.limit ?? found) : found);
  const refusedInARow = state.refusedInARow + (isFirst && !isTry ? 1 : 0);
  const learned = {
    ...state,
    permits: isFirst ? ceiling : Math.min(state.permits, ceiling),
    ceiling,
    isProven: false,
    steady: 0,
    epoch: state.epoch + (isFirst ? 1 : 0),
    refusedInARow,
  };
  if (isNearLimit(state, found)) {
    const debt = Math.min(MAX_DEBT, state.debt + ACCEPTS_PER_REFUSAL);
    return { ...learned, limit: state.limit ?? found, debt, lowered: undefined };
  }
  const fallen = Math.max(1, Math.floor(state.permits * (1 - FALL)));
  const falls = isFirst && !isTry && refusedInARow > 1;
  const permits = falls ? Math.min(ceiling, fallen) : learned.permits;
  return lower({ ...learned, permits, trust: 0 }, isTry, now);
}

function isNearLimit({ fixed, limit }: Concurrency, found: number): boolean {
  return !fixed && found >= 1 && (limit === undefined || found >= limit - Math.floor(limit * NOISE));
}

/** Permits are below the limit now, or stay there after a try that failed. */
function lower(state: Concurrency, isFailedTry: boolean, now: number): Concurrency {
  const { limit, ceiling, fixed, debt } = state;
  if (limit === undefined || ceiling >= limit) return { ...state, lowered: undefined };
  const failures = (state.lowered?.failures ?? 0) + (isFailedTry ? 1 : 0);
  if (!fixed && failures >= TRIES_BELOW_LIMIT)
    return { ...state, limit: ceiling, debt: Math.max(debt, ACCEPTS_PER_REFUSAL), lowered: undefined };
  const before = state.lowered?.waitMs ?? FIRST_TRY_MS;
  const waitMs = isFailedTry ? Math.min(LONGEST_TRY_MS, 2 * before) : before;
  return { ...state, lowered: { tryAt: now + waitMs, waitMs, failures, isTrying: false } };
}
