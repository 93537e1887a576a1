/**
 * Every refusal and failure a person can meet, with its sentence: what happened, why, what to do next.
 * Anything that is not a UserError is a bug and is shown as `unexpected`.
 */
const SENTENCES = {
  // What the options alone show.
  text_missing: () =>
    "There is nothing to read yet. Write it in `text`, or attach a .txt file as `text_file`.",
  text_twice: () => "I got both `text` and `text_file` and cannot tell which one to read. Send one of them.",
  text_empty: () => "The text has no words I could read aloud. Send some sentences and I will read them.",
  text_too_long: (d: { characters: string; limit: string }) =>
    `The text has ${d.characters} characters and I can read ${d.limit} at a time. Split it and send the parts one by one.`,
  text_file_type: (d: { file: string }) =>
    `I can read plain text files, .txt or .md, and “${d.file}” is neither. Save it as plain text and attach it again.`,
  text_file_too_large: (d: { size: string; limit: string }) =>
    `The text file is ${d.size}, which is more than the ${d.limit} characters I can read at a time. Split it and send the parts one by one.`,
  text_not_utf8: () =>
    "I cannot read the letters in this text file, because it is not saved as UTF-8. In your editor choose “Save as”, pick UTF-8 as the encoding, and attach it again.",
  sample_type: (d: { got: string }) =>
    `The sample is ${d.got}, and I cannot take a voice from that. Save the recording as WAV, MP3, M4A, Ogg or FLAC and attach it again.`,
  sample_codec: (d: { got: string }) =>
    `This sample is ${d.got}, and I cannot play what is in there. Save the recording as WAV or MP3 and attach it again.`,
  sample_too_large: (d: { size: string }) =>
    `The sample is ${d.size}, and I can take up to 25 MB. Half a minute of clear speech is all I need, or the same recording as MP3.`,
  sample_unreadable: () =>
    "I cannot play this sample: the file seems to be damaged or is not audio. Save it again as WAV, MP3 or M4A and attach it.",
  sample_too_slow: () =>
    "Checking this sample took too long, so I stopped. Try again in a moment; if it happens again, save it anew as WAV or MP3.",
  sample_too_short: (d: { seconds: string }) =>
    `The sample is ${d.seconds} long and I need at least 5 seconds to learn a voice. 10 to 20 seconds of clear speech work best.`,
  sample_too_long: () =>
    "The sample is longer than 10 minutes, and I look for a voice in up to 10. Cut out half a minute of clear speech and attach that.",
  sample_silent: () =>
    "I can hear next to nothing in this sample: it is silent or very faint. Check that the right microphone was on, record again a little closer to it, and attach that.",
  sample_clipped: () =>
    "This sample is so loud that nearly all of it is cut off and distorted. Turn the microphone down or move away from it, record again, and attach that.",
  sample_noise: () =>
    "I hear one steady sound in this sample, like noise or a tone, and no voice. Record some clear speech in a quiet place and attach that.",
  attachment_unavailable: (d: { file: string }) =>
    `I could not fetch “${d.file}” from Discord. Attach it again in a moment.`,
  speed_range: () => "`speed` goes from 0.5 (half as fast) to 2 (twice as fast). Choose a value in between.",
  pitch_range: () => "`pitch` goes from -1 (lower) to 1 (higher). Choose a value in between.",
  bot_permissions: (d: { missing: string }) =>
    `I cannot work in this channel yet: I need ${d.missing}. A moderator can allow that in the channel's settings, or you can try another channel.`,
  member_waiting_full: (d: { limit: number }) =>
    `You have ${d.limit === 1 ? "a task" : `${d.limit} tasks`} waiting in this server already, which is as many as one member may have. Try again when one of them has started, or cancel one with /tasks.`,
  guild_waiting_full: (d: { limit: number }) =>
    `This server has ${d.limit === 1 ? "a task" : `${d.limit} tasks`} waiting already, which is as many as it may have. Try again when some of them have started; /queue shows how it goes.`,
  guild_only: () => "I work inside a server. Use the command in one of its channels.",

  // What the voice service answered.
  sample_refused: () =>
    "The voice service could not use this sample. A clear recording of 10 to 20 seconds as WAV, MP3 or M4A, with one voice and little noise, should work.",
  sample_refused_size: () =>
    "The voice service found this sample too large; its limit is 4.5 MB. A shorter recording, or the same one as MP3, will fit.",
  text_refused: () =>
    "The voice service did not take a text of this length. Try one with a few more or a few fewer sentences.",
  service_unavailable: () =>
    "The voice service kept failing, so I stopped trying. This is not about your text or sample; Retry sends it again.",
  service_forgot: () =>
    "The voice service no longer knows this task, so there is no result to fetch. Retry sends it again.",
  service_foreign: () =>
    "The voice service keeps this result for another key, so I cannot fetch it. The bot's operator has a note about it; Retry sends it again.",
  service_unexpected: () =>
    "The voice service gave an answer I do not understand, so I stopped. The bot's operator has a note about it; Retry sends it again.",
  service_failed: (d: { said: string }) =>
    `The voice service could not finish this one${d.said === "" ? "" : `. It said: “${d.said}”`}. Try Retry, or a clearer sample if it happens again.`,
  result_expired: () => "The result was kept for 7 days and is gone now. Retry renders it again.",
  result_damaged: () =>
    "The audio arrived damaged every time I fetched it, so I stopped. Retry renders it again.",
  result_too_large: (d: { duration: string; size: string; limit: string }) =>
    `Your speech is ready, but it is ${d.duration} long and ${d.size}, and uploads here end at ${d.limit}. Send the text in shorter parts.`,
  result_refused_size: (d: { duration: string; size: string }) =>
    `Your speech is ready, but it is ${d.duration} long and ${d.size}, and Discord did not take a file of that size. Send the text in shorter parts.`,
  deadline: (d: { limit: string }) =>
    `This was not ready after ${d.limit}, so I stopped waiting. Retry sends it again.`,
  stopped: () => "I was shut down before this was finished and could not keep it. Send it again in a minute.",
  message_gone: () =>
    "The result is ready, but my message for it is gone or out of my reach, and I could not send you a direct message. `/tasks retry` posts it wherever you use it.",
  upload_refused: () => "Discord did not take the result. Retry posts it again.",

  sample_lost: () =>
    "I no longer have the voice sample of this task. Start a new one with /clone and attach it again.",

  // What was pressed or typed about a task.
  task_gone: () =>
    "I no longer have this task; finished ones are kept for 7 days. Start a new one with /clone.",
  task_not_yours: () => "This task belongs to someone else. Its owner and the moderators can change it.",
  task_already_over: () => "This task is already over, so there is nothing to cancel.",
  task_being_posted: () => "The result is on its way to the channel, so it is too late to cancel.",
  task_not_retryable: () =>
    "This task did not fail in a way that Retry can mend. Start a new one with /clone.",
  // Voice channels.
  voice_not_in_channel: () =>
    "I speak in the voice channel where you are, and you are in none right now. Join one and try again.",
  voice_permissions: (d: { channel: string; missing: string }) =>
    `I cannot speak in ${d.channel} yet: I need ${d.missing} there. A moderator can allow that in the channel's settings, or you can try another channel.`,
  voice_full: (d: { channel: string }) =>
    `${d.channel} is full, so I cannot come in. Try again when there is room, or in another channel.`,
  voice_stage: (d: { channel: string }) =>
    `${d.channel} is a stage, and I speak in voice channels only. Join a voice channel and try again.`,
  voice_channel_gone: () => "The voice channel is gone or hidden from me. Join another one and try again.",
  voice_failed: () =>
    "The connection to the voice channel did not come about, which now and then happens on Discord's side. Try again in a moment; the file stays on its card.",
  voice_kicked: () =>
    "Somebody disconnected me from the voice channel, so I stopped. Play in voice on a finished card brings me back.",
  voice_nobody: () =>
    "Nobody was listening in the voice channel when it was this one's turn, so I passed it over. Replay speaks it, or Play in voice on its card.",
  playback_not_ready: () =>
    "This one is not ready, so there is nothing to speak. Try again when its card says Done.",
  playback_expired: () =>
    "The audio of this one was kept for 7 days and is gone now. Start a new one with /clone.",
  playback_unavailable: () =>
    "I could not get the audio of this one again: its file is no longer on the card, or the voice service does not answer. Try again in a moment.",
  playback_nothing: () =>
    "Nothing is being spoken in this server right now. Press Play in voice on a finished card to start.",
  playback_nothing_to_replay: () =>
    "There is nothing to repeat yet. Press Play in voice on a finished card to start.",
  playback_not_listening: (d: { channel: string }) =>
    `I am speaking in ${d.channel}, and only those who listen there, or a moderator, can change that. Join it and try again.`,
  playback_not_paused: () => "I am not paused, so there is nothing to resume.",
  playback_already_paused: () => "I am paused already. /playback resume goes on.",
  playback_joining: () => "I am still on my way into the voice channel. Try again in a moment.",
  playback_muted: () =>
    "A moderator has muted me in this channel, so I wait. I go on by myself when they unmute me.",
  playback_queue_full: (d: { limit: number }) =>
    `There are ${d.limit} readings in line for voice in this server, which is as many as it may have. Try again when some of them have been heard.`,
  playback_in_line: () => "This one is in line for voice already. /playback queue shows where.",
  playback_old_button: () =>
    "This button belongs to something that I have finished. /playback shows what you can do now.",

  unknown_command: () => "I do not know this command any more. Type / to see what I can do now.",
  unknown_button: () => "This button is from an older version of me. Use the command again for a new one.",
  interrupted: () => "I was restarted before I had taken this in. Nothing was spent; send it again.",
  restarting: () => "I am restarting right now. Try again in a minute.",
  unexpected: () =>
    "Something went wrong on my side, and the bot's operator has a note about it. Try again in a moment.",
} as const;

/** Failures that the same sample and text would meet again, or that left nothing to try with. */
const FINAL: readonly string[] = [
  "sample_refused",
  "sample_refused_size",
  "sample_lost",
  "text_refused",
  "result_too_large",
  "result_refused_size",
  "stopped",
];

/** Whether Retry can help after a task failed with this code. */
export function isRetryable(code: ErrorCode): boolean {
  return !FINAL.includes(code);
}

type Sentences = typeof SENTENCES;
export type ErrorCode = keyof Sentences;
type Details<C extends ErrorCode> = Parameters<Sentences[C]>;

/** An expected failure. `message` is written for the person who reads it; `cause` is for the log only. */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly code: ErrorCode;

  private constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  static of<C extends ErrorCode>(code: C, ...details: Details<C>): UserError {
    return new UserError(code, sentence(code, ...details));
  }

  /** The same with the error that led here, for the log. */
  because(cause: unknown): UserError {
    return new UserError(this.code, this.message, cause);
  }
}

function sentence<C extends ErrorCode>(code: C, ...details: Details<C>): string {
  return (SENTENCES[code] as (...details: Details<C>) => string)(...details);
}

/** What to show for any error: a UserError as it is, anything else as `unexpected` with the error as cause. */
export function toUserError(error: unknown): UserError {
  return error instanceof UserError ? error : UserError.of("unexpected").because(error);
}
