/** By file name, as Discord guesses; what it does not know it leaves without a type. */
const TYPES: Record<string, string> = {
  aac: "audio/aac",
  flac: "audio/flac",
  gif: "image/gif",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  json: "application/json; charset=utf-8",
  m4a: "audio/mp4",
  md: "text/markdown; charset=utf-8",
  mov: "video/quicktime",
  mp3: "audio/mpeg",
  mp4: "video/mp4",
  oga: "audio/ogg",
  ogg: "audio/ogg",
  opus: "audio/ogg",
  pdf: "application/pdf",
  png: "image/png",
  srt: "application/x-subrip",
  txt: "text/plain; charset=utf-8",
  vtt: "text/vtt; charset=utf-8",
  wav: "audio/x-wav",
  webm: "video/webm",
  webp: "image/webp",
  zip: "application/zip",
};

/** The content type Discord gives an upload of this name. */
export function guessContentType(filename: string): string | undefined {
  return TYPES[filename.split(".").at(-1)?.toLowerCase() ?? ""];
}

/** The file name Discord stores: spaces become underscores, and only plain characters stay. */
export function cleanFilename(filename: string): string {
  const base = filename.split(/[/\\]/).at(-1) ?? "";
  const clean = base.replaceAll(/\s/g, "_").replaceAll(/[^\w.\-()]/g, "");
  return clean === "" || clean.startsWith(".") ? `unknown${clean}` : clean;
}
