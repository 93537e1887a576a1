import type { Logger } from "pino";
import { buttons, commands } from "../commands/index.ts";
import { buildChecks, buildCore, buildPlayback, buildTasks, openWorld, type Base } from "./compose.ts";
import type { Config } from "./config.ts";
import { Announcer } from "./discord/announcer.ts";
import { connect, inviteLink, watchClient } from "./discord/client.ts";
import { ReplyDelivery } from "./discord/delivery.ts";
import { FollowUps } from "./discord/follow-ups.ts";
import { registerCommands } from "./discord/register.ts";
import { Renderer } from "./discord/renderer.ts";
import { ReplyEditor } from "./discord/reply-editor.ts";
import { Reporter } from "./discord/reporter.ts";
import { Router } from "./discord/router.ts";
import { UserError } from "./errors.ts";
import { createServer, listen } from "./http/server.ts";
import type { Clock } from "./lib/clock.ts";
import { Phases, windDown } from "./shutdown.ts";
import type { Reply } from "./tasks/task.ts";
import { releaseArrivals, resumeTasks } from "./tasks/recovery.ts";

/** A running bot. */
export type App = {
  /** The port of the HTTP server; undefined without one. */
  httpPort: number | undefined;
  /** Rejects when the bot cannot go on, as when Discord ends the session for good. Never resolves. */
  fatal: Promise<never>;
  /** Ends the bot within ten seconds: what runs is finished or saved, everything opened is closed. */
  stop(): Promise<void>;
};

/** Starts the bot from its parts. What was opened is closed again when a later step fails. */
export async function startApp(config: Config, log: Logger, clock: Clock): Promise<App> {
  await using opened = new AsyncDisposableStack();
  const phases = new Phases();
  const base: Base = { config, log, clock, phases };
  const world = await openWorld(base, opened);
  opened.defer(() => phases.end());
  const { client, storage } = world;
  const left = await storage.arrivals.all();

  const core = buildCore(base, world, opened);
  const { journal, outlooks } = core;
  const editor = new ReplyEditor(client, clock);
  const told = (taskId: string) => journal.settle(taskId);
  const outlookOf = outlooks.of.bind(outlooks);
  const reporter = new Reporter({ editor, clock, log, told, outlookOf, stop: phases.kill });
  const announcer = new Announcer(client, clock, log);
  const followUps = new FollowUps(client);
  const renderer = new Renderer(world.encoder, log);
  const { players, cards: playbackCards } = buildPlayback(base, world, core, opened);
  const delivery = new ReplyDelivery({
    reporter,
    editor,
    announcer,
    followUps,
    renderer,
    voice: players,
    clock,
    log,
  });
  const { runner, service } = buildTasks(base, world, core, delivery);
  journal.changes.on("changed", (task) => reporter.show(task));
  const router = new Router({
    commands,
    buttons,
    services: { tasks: service, playback: players },
    log,
    stop: phases.stop,
  });
  router.listen(client);

  const report = (segmentKey: string, remoteId: string) => {
    const noted = core.reports.note(segmentKey, remoteId);
    return core.watcher.wake(remoteId) || noted;
  };
  const checks = buildChecks(base, world, core);
  const http = createServer({ checks, clock, webhooks: world.webhooks, report, log });
  opened.defer(() => http.close());
  const httpPort = config.http.port === undefined ? undefined : await listen(http, config.http.port);
  if (httpPort !== undefined) log.info({ port: httpPort }, "listening");

  const fatal = Promise.race([watchClient(client, log, phases.stop), storage.lost]);
  const ready = await Promise.race([connect(client, config.discord.token), fatal]);
  await registerCommands(ready, commands, config.discord.guildId, log);
  const resumed = await resumeTasks(journal, runner);
  const spoken = await players.restore((guildId) => ready.guilds.cache.has(guildId));
  if (spoken > 0) log.info({ guilds: spoken }, "voice queues go on");
  const tell = (reply: Reply) => reporter.tell(reply, UserError.of("interrupted"));
  releaseArrivals(left, { journal, arrivals: storage.arrivals, tell }).catch((error: unknown) => {
    log.warn({ err: error }, "interrupted commands could not be answered");
  });
  log.info(
    { bot: ready.user.tag, guilds: ready.guilds.cache.size, resumed, invite: inviteLink(ready) },
    "ready",
  );

  const resources = opened.move();
  const stop = async () => {
    const speaking = { players, playbackCards };
    await windDown({ ...base, ...speaking, journal, runner, router, reporter, durable: storage.durable });
    await resources.disposeAsync();
    log.info({}, "stopped");
  };
  return { httpPort, fatal, stop };
}
