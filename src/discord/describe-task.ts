import { escapeMarkdown } from "discord.js";
import { roughPlace, type Outlook } from "../tasks/outlook.ts";
import type { Delivered, SampleFacts, Segment, SegmentState, Task } from "../tasks/task.ts";
import { countCharacters, isShort } from "../tasks/text.ts";
import { bar, inCharacters, inDuration, inMegabytes, inSeconds, ordinal, clock, relative } from "./words.ts";

export const COLOR = { waiting: 0x8a8f98, working: 0x4f7cff, done: 0x3fa66b, failed: 0xd9822b } as const;

export type Description = { title: string; color: number; lines: string[] };

/** How long the text is, and in how many parts it is read. */
export function describeText({ text, segments }: Task): string {
  const length = inCharacters(countCharacters(text));
  return segments.length === 1 ? length : `${length} in ${segments.length} parts`;
}

/** The sample's file, how much of it is used, and from where in a longer recording. */
export function describeSample({ fileName, durationSeconds, window }: SampleFacts): string {
  const name = escapeMarkdown(fileName);
  if (!window) return `${name} (${inSeconds(durationSeconds)})`;
  const { fromSeconds, toSeconds, ofSeconds } = window;
  return `${name}, the best ${inSeconds(durationSeconds)}: ${clock(fromSeconds)} to ${clock(toSeconds)} of ${clock(ofSeconds)}`;
}

/** Where a task stands, in words. `outlook` for one that has something in line. */
export function describeTask(task: Task, now: number, outlook?: Outlook): Description {
  const { state } = task;
  switch (state.name) {
    case "queued":
    case "rendering":
      return task.segments.length === 1 ? describeSegment(task, now, outlook) : describeParts(task, outlook);
    case "delivering":
      return onItsWay(state.step === "preparing" ? "Joining the parts" : "Posting");
    case "done": {
      const took = inDuration((state.at - task.createdAt) / 1_000);
      return { title: "Done", color: COLOR.done, lines: describeDelivered(state.delivered, took) };
    }
    case "failed":
      return { title: "Not finished", color: COLOR.failed, lines: [state.failure.message] };
    case "cancelled": {
      const who = state.byUserId === task.userId ? "" : ` by <@${state.byUserId}>`;
      return { title: "Cancelled", color: COLOR.waiting, lines: [`Cancelled${who} ${relative(state.at)}.`] };
    }
  }
}

const FORMS = { wav: "WAV", flac: "FLAC", mp3: "MP3", opus: "Ogg Opus", voice_message: "Ogg Opus" } as const;
const NO_VOICE_MESSAGE = {
  permission:
    "As a file, because I may not send voice messages here. A moderator can allow that in the channel's settings.",
  refused: "As a file, because it could not be sent as a voice message.",
  "too-long": "As a file, because it is too long for a voice message here.",
} as const;

const NO_VOICE_CHANNEL = {
  permission:
    "Only as a file, because I may not join and speak in your voice channel. A moderator can allow View Channel, Connect and Speak there.",
  full: "Only as a file, because your voice channel is full.",
  stage: "Only as a file, because I speak in voice channels and not on stages.",
  failed: "Only as a file, because the connection to your voice channel did not come about.",
  "not-in-channel": "Only as a file, because you were in no voice channel when it was ready.",
} as const;

function describeDelivered(delivered: Delivered, took: string): string[] {
  const { form, files, bytes, durationSeconds, tooLarge, noVoiceMessage } = delivered;
  const { voiceChannelId, noVoiceChannel } = delivered;
  const lines = [`${inDuration(durationSeconds)} of speech, ${inMegabytes(bytes)}, ready after ${took}.`];
  if (form === "voice_message") lines.push("Posted below as a voice message.");
  if (noVoiceMessage) lines.push(NO_VOICE_MESSAGE[noVoiceMessage]);
  if (voiceChannelId) lines.push(`Spoken in <#${voiceChannelId}>.`);
  if (noVoiceChannel) lines.push(NO_VOICE_CHANNEL[noVoiceChannel]);
  if (tooLarge) {
    const { wavBytes, limitBytes } = tooLarge;
    const how = files === 1 ? `As ${FORMS[form]}` : `As ${FORMS[form]} in ${files} parts, the others below`;
    lines.push(
      `${how}: the WAV has ${inMegabytes(wavBytes)}, and an upload here holds ${inMegabytes(limitBytes)}.`,
    );
  }
  return lines;
}

function describeSegment(task: Task, now: number, outlook: Outlook | undefined): Description {
  const state = task.segments[0]?.state;
  if (state?.name === "waiting") return describeWaiting(state, task, outlook);
  if (state?.name === "submitting") return describeSubmitting(task);
  return state?.name === "submitted" ? describeSubmitted(state, now) : onItsWay("Downloading");
}

/** A long text: some of its parts are ready, some are being read, some wait. */
function describeParts(task: Task, outlook: Outlook | undefined): Description {
  const parts = countParts(task.segments);
  const total = task.segments.length;
  if (parts.ready === total) return onItsWay("Downloading");
  const trouble = task.segments.find(
    ({ state }) => state.name === "waiting" && isTrouble(reasonNow(state, outlook)),
  );
  const waiting = trouble ?? task.segments.find(({ state }) => state.name === "waiting");
  if (waiting?.state.name === "waiting" && (trouble || outlook?.paused || parts.ready + parts.read === 0))
    return describeWaiting(waiting.state, task, outlook);
  const line = [
    `${parts.ready} of ${total} parts are ready`,
    `${parts.read} ${parts.read === 1 ? "is" : "are"} being read`,
    ...(parts.wait > 0
      ? [`${parts.wait} ${parts.wait === 1 ? "waits for its" : "wait for their"} turn`]
      : []),
  ].join(", ");
  return {
    title: "Processing",
    color: COLOR.working,
    lines: [bar(parts.ready / total), `${line}.`, ...estimate(outlook, askedLine(task))],
  };
}

function countParts(segments: Segment[]): { ready: number; read: number; wait: number } {
  const parts = { ready: 0, read: 0, wait: 0 };
  for (const { state } of segments) {
    if (state.name === "rendered") parts.ready += 1;
    else if (state.name === "waiting") parts.wait += 1;
    else parts.read += 1;
  }
  return parts;
}

type Waiting = Extract<SegmentState, { name: "waiting" }>;
type WaitReason = Waiting["reason"];

/** What was noted when it began to wait may be over: who stands in line waits for that. */
function reasonNow({ reason }: Waiting, outlook: Outlook | undefined): WaitReason {
  if (!outlook || outlook.place === 0) return reason;
  return outlook.paused ?? (reason === "slot" ? "slot" : "turn");
}

function isTrouble(reason: WaitReason): boolean {
  return reason !== "turn" && reason !== "slot";
}

function onItsWay(title: string): Description {
  return { title, color: COLOR.working, lines: ["The speech is ready and on its way here."] };
}

function describeWaiting(state: Waiting, task: Task, outlook: Outlook | undefined): Description {
  const asked = askedLine(task);
  const reason = reasonNow(state, outlook);
  switch (reason) {
    case "key":
    case "plan":
      return { title: "Paused", color: COLOR.waiting, lines: [describePause(reason), asked] };
    case "answer":
      return queued(
        "The voice service may be working on it already. I wait for its word before I send it again.",
        asked,
      );
    case "service":
      return queued("The voice service does not answer right now. I keep trying; nothing is lost.", asked);
    case "turn":
    case "slot":
      return queued(describePlace(outlook, reason), ...estimate(outlook, asked));
  }
}

function queued(...lines: string[]): Description {
  return { title: "Queued", color: COLOR.waiting, lines };
}

/** Why nothing starts, for everybody in line. */
export function describePause(reason: "key" | "plan"): string {
  const what =
    reason === "key"
      ? "the voice service does not accept this bot's key"
      : "this bot's plan at the voice service does not cover this";
  return `Everything is paused: ${what}. The bot's operator can mend it; your task stays in line and goes on by itself.`;
}

function describePlace(outlook: Outlook | undefined, reason: "turn" | "slot"): string {
  const { place, waitsFor } = outlook ?? { place: 1, waitsFor: undefined };
  if (waitsFor === "cap")
    return "Next in line here. As many are being read as this server may have at once; yours follows when one ends.";
  if (waitsFor === "slot" || reason === "slot")
    return "Next in line here, waiting for a free slot at the voice service; it takes a few tasks at a time.";
  if (!outlook) return "It starts as soon as it is its turn.";
  if (place === 1) return "Next in line here; it starts in a moment.";
  const rough = roughPlace(place);
  return `${rough === place ? "" : "About "}${ordinal(rough)} in line in this server.`;
}

/** An estimate where there is one, else what is known. */
function estimate(outlook: Outlook | undefined, otherwise: string): string[] {
  if (outlook?.readyAt === undefined) return [otherwise];
  return [`Likely to be ready ${relative(outlook.readyAt)}.`];
}

function describeSubmitting(task: Task): Description {
  if (task.segments.every(({ text }) => isShort(text)))
    return {
      title: "Processing",
      color: COLOR.working,
      lines: ["The voice service is on it.", askedLine(task)],
    };
  return queued("On its way to the voice service.", askedLine(task));
}

function askedLine({ createdAt }: Task): string {
  return `Asked ${relative(createdAt)}.`;
}

function describeSubmitted(state: Extract<SegmentState, { name: "submitted" }>, now: number): Description {
  const { at, startedAt, estimatedCompletion } = state;
  const since = startedAt === undefined ? `Sent ${relative(at)}.` : `Started ${relative(startedAt)}.`;
  const title = startedAt === undefined ? "Submitted" : "Processing";
  if (startedAt === undefined)
    return { title, color: COLOR.working, lines: ["The voice service has it and starts soon.", since] };
  if (estimatedCompletion === undefined) return { title, color: COLOR.working, lines: [since] };
  const late = now >= estimatedCompletion;
  const share = late ? 1 : (now - at) / (estimatedCompletion - at);
  const expected = late
    ? "It takes longer than estimated; I keep watching."
    : `Expected ${relative(estimatedCompletion)}.`;
  return { title, color: COLOR.working, lines: [bar(share), `${since} ${expected}`] };
}
