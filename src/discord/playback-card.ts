import { ButtonStyle } from "discord.js";
import { button, row, type ButtonRow } from "./buttons.ts";
import { toCard, type Card } from "./cards.ts";
import { COLOR } from "./describe-task.ts";
import type { InLine, Outcome, PlaybackView } from "./playback-view.ts";
import { bar, clock, excerpt, inDuration } from "./words.ts";

const TITLE_CHARACTERS = 80;
/** The list is cut here, so that the card fits a screen. */
const SHOWN = 10;

/** What is spoken now, with the buttons that go with it. */
export function renderPlayback(view: PlaybackView): Card {
  const { title, color } = describeState(view);
  const lines = [...describeCurrent(view), ...describeWhy(view), ...describeNext(view)];
  return toCard({ title, color, description: lines.join("\n") }, buttons(view));
}

/** The same as a list of everything that is in line. */
export function renderPlaybackQueue(view: PlaybackView): Card {
  const { title, color } = describeState(view);
  const { queue } = view;
  const more = queue.length - SHOWN;
  const lines = [
    ...describeCurrent(view),
    ...describeWhy(view),
    ...(queue.length > 0 ? ["", "**Then**"] : []),
    ...queue
      .slice(0, SHOWN)
      .map(
        ({ title: text, requesterId, seconds }, index) =>
          `${index + 1}. ${excerpt(text, TITLE_CHARACTERS)} · <@${requesterId}>${seconds === undefined ? "" : ` · ${clock(seconds)}`}`,
      ),
    ...(more > 0 ? [`and ${more} more`] : []),
  ];
  return toCard({ title, color, description: lines.join("\n") });
}

/** Answers to those who asked for something. */
export function renderInLine({ ahead, channelId, busyIn }: InLine): Card {
  const where = `<#${channelId}>`;
  const lines =
    ahead === 0
      ? [`I am on my way to ${where}.`]
      : [
          `It is in line, with ${ahead === 1 ? "one reading" : `${ahead} readings`} before it.`,
          ...(busyIn !== undefined && busyIn !== channelId
            ? [`I am in <#${busyIn}> now and come to ${where} when it is its turn.`]
            : []),
        ];
  return toCard({ title: "In line for voice", color: COLOR.working, description: lines.join(" ") });
}

export function renderOutcome(outcome: Outcome, title: string): Card {
  if (outcome.done) return toCard({ title, color: COLOR.waiting, description: "Done." });
  const { given, needed } = outcome;
  const description = `Your vote counts: ${given} of ${needed}. When half of those who listen are for it, it is done.`;
  return toCard({ title: "Voted", color: COLOR.waiting, description });
}

function describeState({ state, why, held, queue, restored }: PlaybackView): {
  title: string;
  color: number;
} {
  switch (state) {
    case "joining":
      return { title: restored ? "Going on after a restart" : "Joining", color: COLOR.working };
    case "playing":
      return { title: "Speaking", color: COLOR.working };
    case "waiting-for-audio":
      return { title: "Waiting for the next part", color: COLOR.working };
    case "paused":
      return { title: why === "muted" ? "Muted" : "Paused", color: COLOR.waiting };
    case "idle":
    case "leaving":
      if (held !== undefined && queue.length > 0) return { title: "Interrupted", color: COLOR.waiting };
      return { title: "Nothing to speak", color: COLOR.done };
  }
}

function describeCurrent({ current, last, channelId }: PlaybackView): string[] {
  if (!current) {
    if (!last) return ["Press Play in voice on a finished card to hear it in your voice channel."];
    return [`Last: ${excerpt(last.title, TITLE_CHARACTERS)} · asked for by <@${last.requesterId}>`];
  }
  const { title, requesterId, elapsedSeconds, totalSeconds } = current;
  return [
    `> ${excerpt(title, TITLE_CHARACTERS)}`,
    `Asked for by <@${requesterId}>${channelId === undefined ? "" : `, in <#${channelId}>`}`,
    totalSeconds === undefined
      ? `${clock(elapsedSeconds)} so far`
      : `${bar(elapsedSeconds / totalSeconds)} ${clock(Math.min(elapsedSeconds, totalSeconds))} / ${clock(totalSeconds)}`,
  ];
}

const PAUSED = {
  asked: "",
  muted: "A moderator has muted me here. I go on when they unmute me.",
  alone: "Nobody is listening, so I wait a moment before I leave.",
} as const;

const HELD = {
  paused: "Nothing happened for a while, so I left. Resume goes on where I stopped.",
  alone: "Nobody was listening, so I left. Resume goes on where I stopped.",
  failed: "I lost the voice channel and could not come back. Resume tries again where I stopped.",
  restart: "I am being restarted. It goes on by itself when I am back.",
} as const;

function describeWhy({ state, why, held, queue, trouble, restored, volume }: PlaybackView): string[] {
  const lines = [];
  if (state === "paused" && why !== undefined) lines.push(PAUSED[why]);
  if (state === "waiting-for-audio")
    lines.push("The next part is still being read. I go on when it is here.");
  if (held !== undefined && queue.length > 0) lines.push(HELD[held]);
  else if (trouble !== undefined) lines.push(trouble);
  if (restored) lines.push("I was restarted and go on with what was in line.");
  if (volume !== 1) lines.push(`Volume ${Math.round(volume * 100)} %.`);
  return lines.filter((line) => line !== "");
}

function describeNext({ queue }: PlaybackView): string[] {
  const [next] = queue;
  if (!next) return [];
  const seconds = queue.every((item) => item.seconds !== undefined)
    ? `, ${inDuration(queue.reduce((sum, item) => sum + (item.seconds ?? 0), 0))} in all`
    : "";
  const count = queue.length === 1 ? "one" : String(queue.length);
  return ["", `Then ${count} more${seconds}; next: ${excerpt(next.title, TITLE_CHARACTERS)}`];
}

function buttons({ state, current, last, held, queue }: PlaybackView): ButtonRow[] {
  if (!current) {
    if (held !== undefined && held !== "restart" && queue.length > 0)
      return [row(button("voice-resume", "any", "Resume", ButtonStyle.Primary))];
    return last ? [row(button("play", last.taskId, "Replay"))] : [];
  }
  const isPaused = state === "paused";
  return [
    row(
      isPaused
        ? button("voice-resume", current.id, "Resume", ButtonStyle.Primary)
        : button("voice-pause", current.id, "Pause"),
      button("voice-skip", current.id, "Skip"),
      button("voice-stop", current.id, "Stop"),
    ),
  ];
}
