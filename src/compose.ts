import { createHash } from "node:crypto";
import type { Client } from "discord.js";
import type { Logger } from "pino";
import { SpeechEncoder } from "./audio/encode.ts";
import { joinWavs } from "./audio/join-wav.ts";
import { SamplePreparer } from "./audio/prepare.ts";
import type { Config } from "./config.ts";
import { CdnAttachments } from "./discord/attachments.ts";
import { createClient, isConnected } from "./discord/client.ts";
import { PlaybackCards } from "./discord/playback-cards.ts";
import { PostedAudio } from "./discord/posted-audio.ts";
import { rarely, type Check } from "./http/health.ts";
import { WebhookPaths } from "./http/webhook.ts";
import type { Clock } from "./lib/clock.ts";
import { Players } from "./playback/players.ts";
import { TaskSpeeches } from "./playback/task-speeches.ts";
import { DiscordVoiceChannels } from "./playback/voice-channels.ts";
import { DiscordVoiceConnector } from "./playback/voice-connector.ts";
import type { Phases } from "./shutdown.ts";
import { openStorage, type Storage } from "./storage/open.ts";
import { DiskWorkFiles } from "./storage/work-files.ts";
import { Abandoned } from "./tasks/abandoned.ts";
import { Admission } from "./tasks/admission.ts";
import { Intake } from "./tasks/intake.ts";
import { TaskJournal } from "./tasks/journal.ts";
import { LearnedKeeper, type Learned, type LearnedStore } from "./tasks/learned.ts";
import { Outlooks } from "./tasks/outlook.ts";
import { Pace } from "./tasks/pace.ts";
import type { Delivery } from "./tasks/ports.ts";
import { Reports } from "./tasks/reports.ts";
import { TaskRunner } from "./tasks/runner.ts";
import { Scheduler } from "./tasks/scheduler.ts";
import { TaskService } from "./tasks/service.ts";
import { TimeLimits } from "./tasks/time-limits.ts";
import { Watcher } from "./tasks/watcher.ts";
import { VoiceApiClient } from "./voice-api/client.ts";

/** What every part is given. */
export type Base = { config: Config; log: Logger; clock: Clock; phases: Phases };

/** Everything that reaches outside the process. */
export type World = {
  storage: Storage;
  files: DiskWorkFiles;
  client: Client;
  webhooks: WebhookPaths;
  api: VoiceApiClient;
  attachments: CdnAttachments;
  samplePreparer: SamplePreparer;
  encoder: SpeechEncoder;
  learnedStore: LearnedStore;
  /** What an earlier process learned about this key. */
  learned: Learned | undefined;
};

/** How often `/readyz` may bother the voice API, ms. */
const KEY_CHECK_MS = 60_000;

/** `opened` closes everything in reverse. */
export async function openWorld(
  { config, log, clock, phases }: Base,
  opened: AsyncDisposableStack,
): Promise<World> {
  const storage = await openStorage(config.storageUrl, log, phases.stop);
  opened.defer(() => storage.close());
  const files = opened.use(new DiskWorkFiles(config.temp.folder, config.temp.maxBytes));
  const client = createClient(config.discord.apiUrl);
  opened.defer(() => client.destroy());
  const webhooks = new WebhookPaths(config.voiceApi.key);
  const { publicUrl } = config.http;
  const callbackUrl = (segmentKey: string) =>
    publicUrl === undefined ? undefined : publicUrl + webhooks.pathFor(segmentKey);
  const api = opened.use(new VoiceApiClient({ ...config.voiceApi, clock, callbackUrl }));
  const attachments = opened.use(new CdnAttachments(config.discord.apiUrl, clock));
  const samplePreparer = opened.use(new SamplePreparer());
  const encoder = opened.use(new SpeechEncoder());
  const learnedStore = storage.learned(fingerprint(config.voiceApi));
  const learned = await learnedStore.load();
  return {
    storage,
    files,
    client,
    webhooks,
    api,
    attachments,
    samplePreparer,
    encoder,
    learnedStore,
    learned,
  };
}

/** Tells keys apart without giving them away. */
function fingerprint({ url, key }: { url: string; key: string }): string {
  return createHash("sha256").update(`${url} ${key}`).digest("hex").slice(0, 32);
}

/** What decides when, and learns from what happens. */
export type Core = ReturnType<typeof buildCore>;

export function buildCore({ config, log, clock, phases }: Base, world: World, opened: AsyncDisposableStack) {
  const { storage, api, learned, learnedStore } = world;
  const { stop } = phases;
  const capsOf = () => config.caps;
  const journal = new TaskJournal(storage.tasks, { clock, log, stop });
  const pace = new Pace(learned?.pace);
  const limit = learned?.limit;
  const keeper = opened.use(new LearnedKeeper({ store: learnedStore, pace, limit, clock, log }));
  const scheduler = new Scheduler({
    limit: config.voiceApi.concurrency,
    capsOf: () => ({ guild: config.caps.guild.active, member: config.caps.member.active }),
    clock,
    stop,
    learned: limit,
    onLearned: (learnedNow) => keeper.note(learnedNow),
  });
  const watcher = new Watcher({ api, clock, log, pollMs: config.voiceApi.pollMs });
  const outlooks = new Outlooks({ scheduler, journal, pace, capsOf, clock });
  const admission = new Admission(journal, capsOf);
  return { journal, pace, scheduler, watcher, outlooks, admission, reports: new Reports(clock) };
}

/** The domain, with the world behind its ports. */
export function buildTasks(
  { config, log, clock, phases }: Base,
  world: World,
  core: Core,
  delivery: Delivery,
) {
  const { storage, files, api, attachments, samplePreparer } = world;
  const { samples, tasks, arrivals } = storage;
  const { stop, kill } = phases;
  const shared = { ...core, api, samples, clock, log };
  const runner = new TaskRunner({
    ...shared,
    abandoned: new Abandoned({ watcher: core.watcher, clock, stop }),
    limits: new TimeLimits(config.taskDeadlineMs, clock),
    hearsReports: config.http.publicUrl !== undefined,
    join: joinWavs,
    files,
    delivery,
    stop,
    kill,
  });
  const { maxCharacters, maxSegmentCharacters } = config.text;
  const intake = new Intake(attachments, samplePreparer, maxCharacters);
  const service = new TaskService({ ...shared, tasks, arrivals, runner, intake, maxSegmentCharacters });
  return { runner, service };
}

/** Voice channels: what speaks in them, and the cards that say so. */
export function buildPlayback(
  { config, log, clock, phases }: Base,
  { client, api, files, storage, attachments }: World,
  { journal }: Core,
  opened: AsyncDisposableStack,
) {
  // Its own, so that nobody who listens waits for an upload that is being encoded.
  const encoder = opened.use(new SpeechEncoder());
  const toWav = encoder.toWav.bind(encoder);
  const posted = new PostedAudio(client, attachments, toWav);
  const cards = new PlaybackCards(client, clock, log, phases.kill);
  const players = new Players({
    connector: new DiscordVoiceConnector(client, clock, log),
    channels: new DiscordVoiceChannels(client),
    speeches: new TaskSpeeches({ journal, files, api, posted, join: joinWavs }),
    store: storage.playback,
    nowPlaying: cards,
    idleMs: config.voiceIdleMs,
    encoder,
    journal,
    clock,
    log,
    stop: phases.stop,
  });
  files.kept.on("kept", (taskId, segment) => {
    if (segment === 0) players.begin(taskId);
  });
  return { players, cards };
}

/** What `/readyz` looks at. */
export function buildChecks({ clock, phases }: Base, { client, storage, api }: World, { scheduler }: Core) {
  const submitting: Check = async () => {
    const { paused } = scheduler;
    return paused === undefined ? "ok" : `paused: the voice API refuses the ${paused}`;
  };
  return {
    discord: async () => (isConnected(client) ? "ok" : "not connected"),
    store: () => storage.check(),
    voice_api: rarely(() => api.checkKey(phases.stop), KEY_CHECK_MS, clock),
    submitting,
  };
}
