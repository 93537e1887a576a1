import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  advancePlayer,
  currentItem,
  NEW_PLAYER,
  type GuildPlayer,
  type PlayerEvent,
} from "../../../src/playback/guild-player.ts";
import { deepFreeze } from "../arbitrary-task.ts";
import { makeItem } from "./world.ts";

const channelId = fc.constantFrom("c1", "c2");
const why = fc.constantFrom("asked" as const, "muted" as const, "alone" as const);

/** Everything but what is meant to take things out of the line. */
const harmless: fc.Arbitrary<PlayerEvent> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("taken" as const), channelId }) },
  {
    weight: 8,
    arbitrary: fc.constantFrom<PlayerEvent>(
      { type: "joined" },
      { type: "over" },
      { type: "ran-dry" },
      { type: "audio-came" },
      { type: "resumed" },
      { type: "released" },
      { type: "leave" },
      { type: "left" },
    ),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("paused" as const), why }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("moved" as const), channelId }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("held" as const),
      why: fc.constantFrom("paused" as const, "alone" as const, "failed" as const),
      atSeconds: fc.nat(60),
    }),
  },
);

/** Requests have ids 0, 1, 2 … in the order in which they were made. */
const histories = fc
  .array(
    fc.oneof({ weight: 2, arbitrary: fc.constant("request" as const) }, { weight: 5, arbitrary: harmless }),
    {
      maxLength: 60,
    },
  )
  .map((steps) => {
    let requests = 0;
    return steps.map((step): PlayerEvent =>
      step === "request" ? { type: "requested", item: makeItem(String(requests++)) } : step,
    );
  });

function walk(
  events: PlayerEvent[],
  visit: (before: GuildPlayer, event: PlayerEvent, after: GuildPlayer) => void,
) {
  let player = deepFreeze(NEW_PLAYER);
  for (const event of events) {
    const after = deepFreeze(advancePlayer(player, event));
    visit(player, event, after);
    player = after;
  }
  return player;
}

test("what was asked for first is spoken first, each thing once, and nothing is lost", () => {
  fc.assert(
    fc.property(histories, (events) => {
      const ended: string[] = [];
      const last = walk(events, (before, event, after) => {
        const item = currentItem(before);
        if (event.type === "over" && item && currentItem(after) === undefined) ended.push(item.id);
      });
      const left = [currentItem(last), ...last.queue].flatMap((item) => item?.id ?? []);
      const asked = events.flatMap((event) => (event.type === "requested" ? event.item.id : []));
      expect([...ended, ...left]).toEqual(asked);
    }),
  );
});

test("nothing is spoken without having joined, and nothing is taken while something is spoken", () => {
  fc.assert(
    fc.property(histories, (events) => {
      walk(events, (before, event, after) => {
        if (after.state.name === "playing" && before.state.name !== "playing")
          expect(["joining", "paused", "waiting-for-audio"]).toContain(before.state.name);
        if (event.type === "taken" && after !== before) {
          expect(before.state.name).toBe("idle");
          expect(currentItem(after)).toBe(before.queue[0]);
        }
      });
    }),
  );
});

test("an event that changes nothing gives back the same object", () => {
  fc.assert(
    fc.property(histories, (events) => {
      walk(events, (before, _, after) => {
        if (after !== before) expect(after).not.toEqual(before);
      });
    }),
  );
});

const playing = walk(
  [
    { type: "requested", item: makeItem("a") },
    { type: "requested", item: makeItem("b", { requesterId: "grace" }) },
    { type: "requested", item: makeItem("c") },
    { type: "taken", channelId: "c1" },
    { type: "joined" },
  ],
  () => undefined,
);
const ids = ({ queue }: GuildPlayer) => queue.map(({ id }) => id);

test("a requester's stop takes out what they asked for, a moderator's everything", () => {
  const own = advancePlayer(playing, { type: "stopped", requesterId: "ada" });
  const all = advancePlayer(playing, { type: "stopped" });
  expect([own.state, ids(own)]).toEqual([{ name: "idle", channelId: "c1", held: undefined }, ["b"]]);
  expect([all.state.name, ids(all)]).toEqual(["idle", []]);
});

test("what is held goes on from its place, and only when somebody asks", () => {
  const held = advancePlayer(playing, { type: "held", why: "alone", atSeconds: 7 });
  const left = advancePlayer(held, { type: "left" });
  expect(left.state).toEqual({ name: "idle", channelId: undefined, held: "alone" });
  expect(advancePlayer(left, { type: "taken", channelId: "c1" })).toBe(left);

  const again = advancePlayer(advancePlayer(left, { type: "released" }), { type: "taken", channelId: "c2" });

  expect(again.state).toMatchObject({ name: "joining", channelId: "c2", item: { id: "a", fromSeconds: 7 } });
});

test("replay comes before what is in line, from the begin", () => {
  const held = advancePlayer(playing, { type: "held", why: "failed", atSeconds: 7 });
  const taken = advancePlayer(advancePlayer(advancePlayer(held, { type: "left" }), { type: "released" }), {
    type: "taken",
    channelId: "c1",
  });
  const replayed = advancePlayer(advancePlayer(taken, { type: "joined" }), { type: "replayed" });
  expect(replayed.queue.map(({ id, fromSeconds }) => [id, fromSeconds])).toEqual([
    ["a", 0],
    ["b", 0],
    ["c", 0],
  ]);
});

test("somebody coming back does not resume what a member paused", () => {
  const paused = advancePlayer(playing, { type: "paused", why: "asked" });
  expect(advancePlayer(paused, { type: "paused", why: "alone" })).toBe(paused);
});

test("thrown out, the player is in no channel and has nothing in line", () => {
  const out = advancePlayer(playing, { type: "kicked" });
  expect([out.state, out.queue]).toEqual([{ name: "idle", channelId: undefined, held: undefined }, []]);
  expect(out.last?.id).toBe("a");
});
