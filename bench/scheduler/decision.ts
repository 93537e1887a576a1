import { FairQueue, type Place } from "../../src/tasks/fair-queue.ts";

const CAPS = { guild: 20, member: 3 };
/** Waiting items per guild and per member. */
const PER_GUILD = 100;
const PER_MEMBER = 5;
const ROUNDS = 15;
const DECISIONS = 20_000;

/**
 * The cost of one decision with so many waiting, µs: the next one goes, another comes, and one that was active ends. The
 * fastest of some rounds, because whatever else runs on the machine only adds to it.
 */
export function measureDecision(waiting: number): number {
  const places = makePlaces(waiting);
  const queue = new FairQueue<Place>(() => CAPS);
  for (const place of places) queue.add(place, place, false);
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    for (let count = 0; count < DECISIONS; count += 1) decide(queue);
    return ((performance.now() - start) / DECISIONS) * 1_000;
  });
  return Math.min(...times);
}

function decide(queue: FairQueue<Place>): void {
  const place = queue.next();
  if (!place) throw new Error("nobody may go");
  queue.add(place, place, false);
  queue.done(place);
}

function makePlaces(count: number): Place[] {
  const members = Array.from({ length: Math.ceil(count / PER_MEMBER) }, (_, member) => ({
    guildId: `g${Math.floor((member * PER_MEMBER) / PER_GUILD)}`,
    userId: `u${member}`,
  }));
  return Array.from({ length: PER_MEMBER }, () => members)
    .flat()
    .slice(0, count);
}
