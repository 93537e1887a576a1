import * as fc from "fast-check";
import { expect, test } from "vitest";
import { UserError } from "../../../src/errors.ts";
import { makeTask } from "../arbitrary-task.ts";
import { settle } from "../manual-clock.ts";
import { GUILD, IDLE_MS, makeWorld } from "./world.ts";

const code = (wanted: UserError["code"]) => expect.objectContaining({ code: wanted }) as unknown;

test("speaks where the member is, then the next one, and leaves when nothing came for a while", async () => {
  const { play, players, connector, spoken, clock, as, openings } = await makeWorld();
  await play("one");
  expect(connector.open().map(({ channelId }) => channelId)).toEqual(["c1"]);
  expect(await play("two", "grace")).toEqual({ ahead: 1, channelId: "c1", busyIn: "c1" });

  spoken()?.stop();
  await settle();
  expect(players.view(as("ada")).current?.taskId).toBe("two");
  spoken()?.stop();
  await clock.advance(IDLE_MS - 1);
  expect(connector.open()).toHaveLength(1);
  await clock.advance(1);

  expect(connector.open()).toHaveLength(0);
  expect(connector.links).toHaveLength(1);
  expect(openings.map((id) => id.split("-")[0])).toEqual(["one", "two"]);
});

test("never in two channels of a guild, whatever is asked for and wherever people go", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("play" as const), by: fc.constantFrom("ada", "grace") }),
    fc.record({
      do: fc.constant("move" as const),
      by: fc.constantFrom("ada", "grace"),
      to: fc.constantFrom("c1", "c2", undefined),
    }),
    fc.record({ do: fc.constantFrom("end" as const, "fail" as const, "skip" as const, "wait" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      const { players, connector, channels, clock, spoken, as, done, end } = await makeWorld();
      for (const [index, what] of steps.entries()) {
        if (what.do === "play") {
          await done(`t${index}`);
          await players.play(`t${index}`, as(what.by), "t1").catch(() => undefined);
        } else if (what.do === "move") channels.move(what.by, what.to);
        else if (what.do === "end") spoken()?.stop();
        else if (what.do === "fail") connector.open()[0]?.end("failed");
        else if (what.do === "wait") await clock.advance(20_000);
        else
          try {
            players.skip(as("mod", true));
          } catch (error) {
            expect(error).toEqual(code("playback_nothing"));
          }
        await settle();
        expect(connector.open().length).toBeLessThanOrEqual(1);
      }
      await end();
      expect(connector.open()).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test("a request from another channel waits in line, and says where the bot is", async () => {
  const { play, channels, connector, spoken } = await makeWorld();
  await play("one");
  channels.move("grace", "c2");
  expect(await play("two", "grace")).toEqual({ ahead: 1, channelId: "c2", busyIn: "c1" });

  spoken()?.stop();
  await settle();

  expect(connector.open().map(({ channelId }) => channelId)).toEqual(["c2"]);
});

test("who is nowhere, or where the bot may not speak, is told before anything happens", async () => {
  const { players, channels, as, done, connector } = await makeWorld();
  await done("one");
  channels.refusal = UserError.of("voice_permissions", { channel: "<#c1>", missing: "Speak" });
  await expect(players.play("one", as("ada"), "t1")).rejects.toEqual(code("voice_permissions"));
  await expect(players.play("one", as("nobody"), "t1")).rejects.toEqual(code("voice_not_in_channel"));
  await expect(players.play("two", as("ada"), "t1")).rejects.toEqual(code("task_gone"));
  expect(connector.links).toEqual([]);
});

test("pause and resume, a muting and its end", async () => {
  const { play, players, connector, spoken, as, state } = await makeWorld();
  await play("one");
  players.pause(as("grace"));
  expect(spoken()?.isPaused).toBe(true);
  expect(() => players.pause(as("ada"))).toThrow(code("playback_already_paused"));
  players.resume(as("ada"));
  expect(spoken()?.isPaused).toBe(false);

  connector.open()[0]?.events.emit("muted", true);
  expect([state(), spoken()?.isPaused]).toEqual(["paused", true]);
  expect(() => players.resume(as("ada"))).toThrow(code("playback_muted"));
  connector.open()[0]?.events.emit("muted", false);

  expect([state(), spoken()?.isPaused]).toEqual(["playing", false]);
});

test("a new volume goes on from the same place", async () => {
  const { play, players, connector, spoken, as } = await makeWorld();
  await play("one");
  Object.assign(spoken() ?? {}, { playedSeconds: 12 });

  players.setVolume(0.5, as("ada"));
  await settle();

  expect(connector.open()[0]?.utterances).toHaveLength(2);
  expect(players.view(as("ada"))).toMatchObject({ volume: 0.5, current: { elapsedSeconds: 12 } });
});

test("skip: the requester and moderators at once, others by half of those who listen", async () => {
  const { play, players, channels, as } = await makeWorld();
  for (const listener of ["ida", "joan"]) channels.move(listener, "c1");
  await play("one");
  await play("two");
  await play("three");
  const current = () => players.view(as("ada")).current?.taskId;

  expect(players.skip(as("grace"))).toEqual({ done: false, given: 1, needed: 2 });
  expect(players.skip(as("grace"))).toEqual({ done: false, given: 1, needed: 2 });
  expect(current()).toBe("one");
  expect(players.skip(as("ida"))).toEqual({ done: true });
  await settle();
  expect(current()).toBe("two");
  expect(players.skip(as("grace"))).toEqual({ done: false, given: 1, needed: 2 });
  expect(players.skip(as("ada"))).toEqual({ done: true });
  await settle();
  expect(players.skip(as("mod", true))).toEqual({ done: true });
  expect(current()).toBeUndefined();
});

test("who does not listen has no say, nor has a button of something that is over", async () => {
  const { play, players, as } = await makeWorld();
  await play("one");
  expect(() => players.skip(as("stranger"))).toThrow(code("playback_not_listening"));
  expect(() => players.skip(as("ada"), "something-else")).toThrow(code("playback_old_button"));
});

test("when nobody listens it waits, goes on with who comes back, and leaves after half a minute", async () => {
  const { play, players, channels, connector, clock, spoken, state, as } = await makeWorld();
  await play("one");
  channels.move("ada", undefined);
  channels.move("grace", undefined);
  expect([state(), spoken()?.isPaused]).toEqual(["paused", true]);
  await clock.advance(20_000);
  channels.move("grace", "c1");
  expect(state()).toBe("playing");
  Object.assign(spoken() ?? {}, { playedSeconds: 7 });

  channels.move("grace", undefined);
  await clock.advance(30_000);
  expect(connector.open()).toEqual([]);
  expect(players.view(as("ada"))).toMatchObject({ state: "idle", held: "alone" });

  channels.move("grace", "c1");
  players.resume(as("grace"));
  await settle();
  expect(players.view(as("ada"))).toMatchObject({ state: "playing", current: { elapsedSeconds: 7 } });
});

test("thrown out, it stays out; a connection that fails keeps the line", async () => {
  const { play, players, connector, as, openings } = await makeWorld();
  await play("one");
  await play("two");
  connector.open()[0]?.end("failed");
  await settle();
  expect(players.view(as("ada"))).toMatchObject({ held: "failed", queue: [{}, {}] });

  players.resume(as("ada"));
  await settle();
  connector.open()[0]?.end("kicked");
  await settle();

  expect(players.view(as("ada"))).toMatchObject({ state: "idle", channelId: undefined, queue: [] });
  expect(openings).toHaveLength(2);
});

test("being moved is followed", async () => {
  const { play, players, channels, connector, as } = await makeWorld();
  await play("one");
  channels.move("ada", "c2");
  Object.assign(connector.open()[0] ?? {}, { channelId: "c2" });
  connector.open()[0]?.events.emit("moved", "c2");
  expect(players.view(as("ada"))).toMatchObject({ state: "playing", channelId: "c2" });
  expect(connector.links).toHaveLength(1);
});

test("what cannot be had is said, and the next one follows", async () => {
  const { play, players, source, as, spoken } = await makeWorld();
  await play("one");
  source.fails = UserError.of("playback_expired");
  await play("two");
  spoken()?.stop();
  await settle();
  expect(players.view(as("ada"))).toMatchObject({
    state: "idle",
    trouble: UserError.of("playback_expired").message,
  });
});

test("after a restart the line goes on where it was, without what a member had paused", async () => {
  const first = await makeWorld();
  await first.play("one");
  await first.play("two");
  Object.assign(first.spoken() ?? {}, { playedSeconds: 9 });
  await first.end();
  expect(first.connector.open()).toEqual([]);

  const second = await makeWorld({ store: first.store });
  expect(await second.players.restore(() => true)).toBe(1);
  await settle();
  expect(second.players.view(second.as("ada"))).toMatchObject({
    state: "playing",
    restored: true,
    current: { taskId: "one", elapsedSeconds: 9 },
    queue: [{ title: expect.any(String) as string }],
  });
  second.players.pause(second.as("ada"));
  await second.end();

  const third = await makeWorld({ store: first.store });
  await third.players.restore(() => true);
  await settle();
  expect(third.players.view(third.as("ada"))).toMatchObject({ state: "idle", held: "paused" });
  expect(third.connector.links).toEqual([]);
});

test("a task that is still being read is spoken once, and its end hears where", async () => {
  const { players, journal, connector, channels, openings } = await makeWorld();
  const task = makeTask({ id: "long", guildId: GUILD, userId: "ada", deliver: "voice_channel" });
  await journal.open(task);
  players.begin("long");
  players.begin("long");
  await settle();
  expect(await players.speak(task, AbortSignal.timeout(5_000))).toEqual({ channelId: "c1" });
  expect([connector.links.length, openings.length]).toEqual([1, 1]);

  channels.move("ada", undefined);
  const late = makeTask({ ...task, id: "late" });
  await journal.open(late);
  players.begin("late");
  expect(await players.speak(late, AbortSignal.timeout(5_000))).toEqual({ refused: "not-in-channel" });
});

test("who waits for a channel that cannot be joined hears why", async () => {
  const { players, journal, connector } = await makeWorld();
  connector.onJoin = () => Promise.reject(UserError.of("voice_failed"));
  const task = makeTask({ id: "long", guildId: GUILD, userId: "ada", deliver: "voice_channel" });
  await journal.open(task);
  expect(await players.speak(task, AbortSignal.timeout(5_000))).toEqual({ refused: "failed" });
});

test("a speech that does not begin does not keep its file back", async () => {
  const { players, journal, clock, connector } = await makeWorld();
  connector.onJoin = () => new Promise(() => undefined);
  const task = makeTask({ id: "long", guildId: GUILD, userId: "ada", deliver: "voice_channel" });
  await journal.open(task);
  players.begin("long");
  let where: unknown;
  void players.speak(task, new AbortController().signal).then((spoken) => (where = spoken));
  await clock.advance(30_000);
  expect(where).toEqual({ channelId: "c1" });
});
