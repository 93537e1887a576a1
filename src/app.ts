import type { Client } from "discord.js";
import type { Logger } from "pino";
import { buttons, commands } from "../commands/index.ts";
import { sampleInspector } from "./audio/sample-inspector.ts";
import type { Config } from "./config.ts";
import { Announcer } from "./discord/announcer.ts";
import { CdnAttachments } from "./discord/attachments.ts";
import { connect, createClient, inviteLink, isConnected, watchClient } from "./discord/client.ts";
import { ReplyDelivery } from "./discord/delivery.ts";
import { registerCommands } from "./discord/register.ts";
import { ReplyEditor } from "./discord/reply-editor.ts";
import { Reporter } from "./discord/reporter.ts";
import { Router } from "./discord/router.ts";
import { UserError } from "./errors.ts";
import { rarely } from "./http/health.ts";
import { createServer, listen } from "./http/server.ts";
import { WebhookPaths } from "./http/webhook.ts";
import type { Clock } from "./lib/clock.ts";
import { Phases, windDown } from "./shutdown.ts";
import { openStorage, type Storage } from "./storage/open.ts";
import { DiskWorkFiles } from "./storage/work-files.ts";
import { Intake } from "./tasks/intake.ts";
import { TaskJournal } from "./tasks/journal.ts";
import type { Delivery } from "./tasks/ports.ts";
import type { Reply } from "./tasks/task.ts";
import { Reports } from "./tasks/reports.ts";
import { releaseArrivals, resumeTasks } from "./tasks/recovery.ts";
import { TaskRunner } from "./tasks/runner.ts";
import { Scheduler } from "./tasks/scheduler.ts";
import { TaskService } from "./tasks/service.ts";
import { Watcher } from "./tasks/watcher.ts";
import { VoiceApiClient } from "./voice-api/client.ts";

/** A running bot. */
export type App = {
  /** The port of the HTTP server; undefined without one. */
  httpPort: number | undefined;
  /** Rejects when the bot cannot go on, as when Discord ends the session for good. Never resolves. */
  fatal: Promise<never>;
  /** Ends the bot within ten seconds: what runs is finished or saved, everything opened is closed. */
  stop(): Promise<void>;
};

/** How often `/readyz` may bother the voice API, ms. */
const KEY_CHECK_MS = 60_000;

/** What every part is given. */
type Base = { config: Config; log: Logger; clock: Clock; phases: Phases };

/** Builds the bot from its parts and starts it. What was opened is closed again when a later step fails. */
export async function startApp(config: Config, log: Logger, clock: Clock): Promise<App> {
  await using opened = new AsyncDisposableStack();
  const phases = new Phases();
  const base: Base = { config, log, clock, phases };
  const world = await openWorld(base, opened);
  opened.defer(() => phases.end());
  const { client, storage } = world;
  const left = await storage.arrivals.all();

  const editor = new ReplyEditor(client, clock);
  const told = (taskId: string) => storage.tasks.settle(taskId);
  const reporter = new Reporter({ editor, clock, log, told, stop: phases.kill });
  const announcer = new Announcer(client, clock, log);
  const domain = buildTasks(base, world, new ReplyDelivery(reporter, editor, announcer, clock));
  domain.journal.changes.on("changed", (task) => reporter.show(task));
  const router = new Router({ commands, buttons, services: { tasks: domain.tasks }, log, stop: phases.stop });
  router.listen(client);

  const report = (segmentKey: string, remoteId: string) => {
    const noted = domain.reports.note(segmentKey, remoteId);
    return domain.watcher.wake(remoteId) || noted;
  };
  const checks = {
    discord: async () => (isConnected(client) ? "ok" : "not connected"),
    store: () => storage.check(),
    voice_api: rarely(() => world.api.checkKey(phases.stop), KEY_CHECK_MS, clock),
  };
  const http = createServer({ checks, clock, webhooks: world.webhooks, report, log });
  opened.defer(() => http.close());
  const httpPort = config.http.port === undefined ? undefined : await listen(http, config.http.port);
  if (httpPort !== undefined) log.info({ port: httpPort }, "listening");

  const fatal = Promise.race([watchClient(client, log, phases.stop), storage.lost]);
  const ready = await Promise.race([connect(client, config.discord.token), fatal]);
  await registerCommands(ready, commands, config.discord.guildId, log);
  const resumed = await resumeTasks(domain.journal, domain.runner, clock);
  const tell = (reply: Reply) => reporter.tell(reply, UserError.of("interrupted"));
  releaseArrivals(left, { ...domain, arrivals: storage.arrivals, tell }).catch((error: unknown) => {
    log.warn({ err: error }, "interrupted commands could not be answered");
  });
  log.info(
    { bot: ready.user.tag, guilds: ready.guilds.cache.size, resumed, invite: inviteLink(ready) },
    "ready",
  );

  const resources = opened.move();
  const stop = async () => {
    await windDown({ ...base, ...domain, router, reporter, durable: storage.durable });
    await resources.disposeAsync();
    log.info({}, "stopped");
  };
  return { httpPort, fatal, stop };
}

type World = {
  storage: Storage;
  files: DiskWorkFiles;
  client: Client;
  webhooks: WebhookPaths;
  api: VoiceApiClient;
  attachments: CdnAttachments;
};

/** Everything that reaches outside the process; `opened` closes it in reverse. */
async function openWorld({ config, log, clock, phases }: Base, opened: AsyncDisposableStack): Promise<World> {
  const storage = await openStorage(config.storageUrl, log, phases.stop);
  opened.defer(() => storage.close());
  const files = opened.use(new DiskWorkFiles(config.tempDir));
  const client = createClient(config.discord.apiUrl);
  opened.defer(() => client.destroy());
  const webhooks = new WebhookPaths(config.voiceApi.key);
  const { publicUrl } = config.http;
  const callbackUrl = (segmentKey: string) =>
    publicUrl === undefined ? undefined : publicUrl + webhooks.pathFor(segmentKey);
  const api = opened.use(new VoiceApiClient({ ...config.voiceApi, clock, callbackUrl }));
  const attachments = opened.use(new CdnAttachments(config.discord.apiUrl, clock));
  return { storage, files, client, webhooks, api, attachments };
}

/** The domain, with the world behind its ports. */
function buildTasks({ config, log, clock, phases }: Base, world: World, delivery: Delivery) {
  const { storage, files, api, attachments } = world;
  const { stop, kill } = phases;
  const deadlineMs = config.taskDeadlineMs;
  const journal = new TaskJournal(storage.tasks, { clock, log, stop });
  const watcher = new Watcher({ api, clock, log, pollMs: config.voiceApi.pollMs });
  const scheduler = new Scheduler(config.voiceApi.concurrency, clock, stop);
  const shared = { journal, api, samples: storage.samples, clock, log, deadlineMs };
  const reports = new Reports(clock);
  const hearsReports = config.http.publicUrl !== undefined;
  const runner = new TaskRunner({
    ...shared,
    reports,
    hearsReports,
    scheduler,
    watcher,
    files,
    delivery,
    stop,
    kill,
  });
  const intake = new Intake(attachments, sampleInspector);
  const tasks = new TaskService({
    ...shared,
    tasks: storage.tasks,
    arrivals: storage.arrivals,
    runner,
    intake,
  });
  return { journal, watcher, reports, runner, tasks };
}
