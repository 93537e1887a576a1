import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  adopt,
  distrust,
  giveBack,
  hasFreePermit,
  learnAccepted,
  learnRefused,
  nextTry,
  raise,
  startConcurrency,
  take,
  type Concurrency,
} from "../../../src/tasks/concurrency.ts";

const MINUTE = 60_000;

/** Creates and tasks of ours, with what is learned from them. Somebody always waits, unless said otherwise. */
class Creates {
  state: Concurrency;
  now = 0;
  readonly #unanswered: Concurrency[] = [];
  #active = 0;

  constructor(limit: "auto" | number, learned?: number) {
    this.state = startConcurrency(limit, learned === undefined ? undefined : { limit: learned });
  }

  get permits(): number {
    return this.state.permits;
  }

  get unanswered(): number {
    return this.#unanswered.length;
  }

  /** Sends as many as may be sent, or at most so many; gives their number. */
  send(most = Number.POSITIVE_INFINITY): number {
    let sent = 0;
    for (this.want(); sent < most && hasFreePermit(this.state); this.want()) {
      this.#unanswered.push(this.state);
      this.state = take(this.state);
      sent += 1;
    }
    return sent;
  }

  accept(which = 0): void {
    const [sent] = this.#unanswered.splice(which, 1);
    if (!sent) return;
    this.#active += 1;
    this.state = learnAccepted(this.state, sent);
  }

  refuse(which = 0): void {
    const [sent] = this.#unanswered.splice(which, 1);
    if (sent) this.state = giveBack(learnRefused(this.state, sent, this.now), false);
  }

  /** A create that came to nothing, but not for a 429. */
  fail(which = 0): void {
    if (this.#unanswered.splice(which, 1).length > 0) this.state = giveBack(this.state, false);
  }

  adopt(): void {
    this.#active += 1;
    this.state = adopt(this.state);
  }

  end(): void {
    if (this.#active === 0) return;
    this.#active -= 1;
    this.state = giveBack(this.state, true);
  }

  /** So many tasks come and go while all permits are in use. */
  turnOver(count: number): void {
    for (let round = 0; round < count; round += 1) {
      this.end();
      this.send(1);
      this.accept();
    }
  }

  /** Fills all permits, with an API that allows so many at once; gives the number of refusals. */
  fill(limit: number): number {
    let refused = 0;
    while (this.send() > 0 || this.unanswered > 0) {
      const answers = this.unanswered;
      for (let count = 0; count < answers; count += 1) {
        if (this.#active < limit) this.accept();
        else {
          this.refuse();
          refused += 1;
        }
      }
    }
    return refused;
  }

  passTime(ms: number): void {
    this.now += ms;
    this.want();
  }

  /** Somebody waits. */
  want(): void {
    this.state = raise(this.state, this.now);
  }

  check(): void {
    expect(this.state).toMatchObject({ active: this.#active + this.unanswered, accepted: this.#active });
  }
}

const which = fc.nat(5);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("send" as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("accept" as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("refuse" as const, "fail" as const), which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("end" as const, "wait" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("adopt" as const, "distrust" as const), which }) },
);
const limits = fc.oneof(fc.constant("auto" as const), fc.integer({ min: 1, max: 30 }));
const learned = fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined });

test("whatever happens: a permit at least, none above a fixed number, and every one of them is counted", () => {
  fc.assert(
    fc.property(limits, learned, fc.array(step, { maxLength: 200, size: "max" }), (limit, known, steps) => {
      const creates = new Creates(limit, known);
      for (const what of steps) {
        if (what.which > 0) creates.want();
        if (what.do === "send") creates.send(what.which);
        else if (what.do === "wait") creates.passTime(what.which * MINUTE);
        else if (what.do === "distrust") creates.state = distrust(creates.state);
        else if (what.do === "adopt" || what.do === "end") creates[what.do]();
        else creates[what.do](what.which % Math.max(1, creates.unanswered));
        Object.freeze(creates.state);
        creates.check();
        const { permits, ceiling, debt, lowered } = creates.state;
        expect(Math.min(permits, ceiling)).toBeGreaterThanOrEqual(1);
        expect(debt).toBeGreaterThanOrEqual(0);
        if (limit !== "auto") expect(creates.state).toMatchObject({ limit, fixed: true });
        if (limit !== "auto") expect(permits).toBeLessThanOrEqual(limit);
        if (lowered) expect(permits).toBeLessThanOrEqual(creates.state.limit ?? 0);
        if (hasFreePermit(creates.state)) expect(creates.state.active).toBeLessThan(permits);
      }
    }),
  );
});

describe("permits", () => {
  test("rise with each accepted task, but only while somebody waits and all that are there are used", () => {
    const creates = new Creates("auto");
    creates.send(1);
    creates.want();
    expect(creates.permits).toBe(1);
    creates.accept();
    expect(creates.permits).toBe(1);
    creates.want();
    creates.want();
    expect(creates.permits).toBe(2);
    creates.send(1);
    creates.accept();
    creates.end();
    creates.want();
    expect(creates.permits).toBe(2);
  });

  test("rise for who comes later, too, where all were in use and good before", () => {
    const creates = new Creates("auto");
    creates.send(1);
    creates.accept();
    expect([creates.send(), creates.permits]).toEqual([1, 2]);
  });

  test("are what was really active when one is refused, and the limit is that", () => {
    const creates = new Creates("auto");
    expect(creates.fill(7)).toBe(1);
    expect(creates.state).toMatchObject({ permits: 7, limit: 7, active: 7 });
  });

  test("count creates without an answer as active, until they are refused too", () => {
    const creates = new Creates("auto", 10);
    creates.fill(6);
    creates.turnOver(12);
    creates.end();
    creates.end();
    creates.end();
    creates.state = { ...creates.state, permits: 10 };
    expect(creates.send()).toBeGreaterThanOrEqual(4);
    creates.refuse(3);
    expect(creates.permits).toBe(6);
    creates.refuse(0);
    expect(creates.permits).toBe(5);
    creates.accept();
    creates.accept();
    expect(creates.state).toMatchObject({ permits: 5, active: 5 });
  });

  test("are tried above the limit once in 60 accepted tasks, and rise on from there when that succeeds", () => {
    const creates = new Creates("auto");
    creates.fill(3);
    creates.turnOver(59);
    creates.want();
    expect(creates.permits).toBe(3);
    creates.turnOver(1);
    expect([creates.send(), creates.permits]).toEqual([1, 4]);
    creates.refuse();
    creates.turnOver(59);
    creates.want();
    expect(creates.permits).toBe(3);
    creates.turnOver(1);
    expect(creates.fill(10)).toBe(1);
    expect(creates.permits).toBe(10);
    creates.turnOver(20);
    expect(creates.state.limit).toBe(10);
  });

  test("are tried one at a time, whatever else is answered meanwhile", () => {
    const creates = new Creates("auto");
    creates.fill(3);
    creates.turnOver(59);
    creates.end();
    creates.end();
    creates.send();
    creates.accept();
    expect([creates.send(), creates.permits]).toEqual([1, 4]);
    creates.accept();
    expect([creates.send(), creates.permits, creates.unanswered]).toEqual([0, 4, 1]);
    creates.accept();
    expect([creates.send(), creates.permits]).toEqual([1, 5]);
  });

  test("cost more tasks when a try that seemed to succeed leads to several refusals", () => {
    const creates = new Creates("auto");
    creates.fill(3);
    creates.turnOver(60);
    creates.send();
    creates.accept();
    creates.send();
    creates.refuse();
    creates.end();
    creates.send();
    creates.refuse();
    expect(creates.permits).toBe(3);
    creates.turnOver(119);
    creates.want();
    expect(creates.permits).toBe(3);
    creates.turnOver(1);
    creates.want();
    expect(creates.permits).toBe(4);
  });
});

describe("a refusal well below the limit", () => {
  /** Ten are known to be allowed, and now it is only six. */
  function lowered(limit: "auto" | number = "auto"): Creates {
    const creates = new Creates(limit, 10);
    creates.fill(10);
    for (let count = 0; count < 4; count += 1) creates.end();
    creates.fill(6);
    expect(creates.state).toMatchObject({ permits: 6, limit: 10, active: 6 });
    return creates;
  }

  test.each(["auto" as const, 10])(
    "lowers the permits for a while (%s): one more is tried later and later",
    (limit) => {
      const creates = lowered(limit);
      for (const minutes of [1, 2, 4, 8, 8]) {
        expect(nextTry(creates.state)).toBe(creates.now + minutes * MINUTE);
        creates.passTime(minutes * MINUTE - 1);
        expect(creates.permits).toBe(6);
        creates.passTime(1);
        expect(creates.permits).toBe(7);
        expect(creates.fill(6)).toBe(1);
      }
      expect(creates.state).toMatchObject({ permits: 6, limit: 10 });
    },
  );

  test("is over once a try succeeds: permits rise to the limit, and no further", () => {
    const creates = lowered();
    creates.passTime(MINUTE);
    expect(creates.fill(20)).toBe(0);
    expect(creates.state).toMatchObject({ permits: 10, limit: 10, lowered: undefined });
  });

  test("is taken for the limit when tries fail for long", () => {
    const creates = lowered();
    creates.turnOver(60);
    for (let tries = 0; tries < 8; tries += 1) {
      expect(creates.state.limit).toBe(10);
      creates.passTime(8 * MINUTE);
      creates.fill(6);
    }
    creates.turnOver(59);
    creates.want();
    expect(creates.state).toMatchObject({ permits: 6, limit: 6, lowered: undefined });
  });

  test("takes nothing more away when a try fails, also after several in a row", () => {
    const creates = new Creates("auto", 10);
    creates.fill(10);
    creates.end();
    creates.fill(0);
    for (let count = 0; count < 4; count += 1) creates.end();
    creates.fill(0);
    expect(creates.state).toMatchObject({ permits: 5, refusedInARow: 2 });
    creates.passTime(MINUTE);
    expect(creates.fill(0)).toBe(1);
    expect(creates.permits).toBe(5);
  });

  test("is not over because a create from before the try is accepted", () => {
    const creates = lowered();
    creates.end();
    creates.send(1);
    creates.passTime(MINUTE);
    creates.accept();
    expect([creates.send(), creates.permits, creates.state.ceiling]).toEqual([1, 7, 6]);
    creates.refuse();
    expect(nextTry(creates.state)).toBe(creates.now + 2 * MINUTE);
  });

  test("is no try while a permit is free", () => {
    const creates = lowered();
    creates.end();
    creates.passTime(MINUTE);
    expect([creates.permits, nextTry(creates.state)]).toEqual([6, undefined]);
  });

  test("never makes a fixed number a lower one", () => {
    const creates = lowered(10);
    for (let tries = 0; tries < 50; tries += 1) {
      creates.passTime(8 * MINUTE);
      creates.fill(6);
    }
    creates.passTime(8 * MINUTE);
    creates.fill(20);
    expect(creates.permits).toBe(10);
  });

  test("again and again makes them fall fast: a plan of 3 instead of 50 costs a dozen refusals", () => {
    const creates = new Creates("auto", 50);
    creates.fill(50);
    let refused = 0;
    while (creates.state.active > 3) {
      creates.end();
      refused += creates.fill(3);
    }
    expect(refused).toBeLessThanOrEqual(12);
    creates.turnOver(10);
    refused += creates.fill(3);
    expect(refused).toBeLessThanOrEqual(13);
    expect(creates.permits).toBe(3);
  });
});

describe("what was learned before", () => {
  test("is used from the start, and a stale number costs a few refusals", () => {
    const right = new Creates("auto", 50);
    expect(right.fill(50)).toBe(0);
    expect(right.state.active).toBe(50);
    const stale = new Creates("auto", 50);
    expect(stale.fill(5)).toBeLessThanOrEqual(3);
    expect(stale.permits).toBe(5);
  });

  test.each([0, -3, 2.5, Number.NaN, "7", null])("is not used when it is %s", (limit) => {
    expect(startConcurrency("auto", { limit: limit as number })).toEqual(startConcurrency("auto"));
  });

  test("is no more than that when tasks are active already: those show that the limit is no lower", () => {
    const creates = new Creates("auto", 2);
    for (let count = 0; count < 5; count += 1) creates.adopt();
    expect(creates.state).toMatchObject({ permits: 5, limit: 2 });
    creates.turnOver(20);
    expect(creates.state).toMatchObject({ permits: 5, limit: 5 });
    const unknown = new Creates("auto");
    for (let count = 0; count < 5; count += 1) unknown.adopt();
    expect([unknown.send(), unknown.permits]).toEqual([1, 6]);
  });
});

test("after a pause one create goes first, and more with each that is accepted", () => {
  const creates = new Creates(50);
  expect(creates.send()).toBe(50);
  for (let count = 0; count < 50; count += 1) creates.fail();
  creates.state = distrust(creates.state);
  const together = Array.from({ length: 12 }, () => {
    creates.send();
    const { unanswered } = creates;
    creates.accept();
    return unanswered;
  });
  expect(together.slice(0, 5)).toEqual([1, 1, 1, 1, 2]);
  expect(together.at(-1)).toBe(3);
});
