import type { ServerResponse } from "node:http";
import type { World } from "./world.ts";

/** Serves an attachment whose address is signed and fresh, else 404. Returns the status. */
export function serveAttachment(world: World, url: URL, response: ServerResponse): number {
  const [, root, channelId, id] = url.pathname.split("/");
  const attachment = world.attachments.get(id ?? "");
  const isKnown = root === "attachments" && attachment !== undefined && attachment.channelId === channelId;
  if (!isKnown || !world.isSigned(url.pathname, url.searchParams)) {
    response.writeHead(404, { "content-type": "text/plain" }).end("This content is no longer available.");
    return 404;
  }
  response.writeHead(200, {
    "content-type": attachment.contentType ?? "application/octet-stream",
    "content-length": attachment.data.byteLength,
    "cache-control": "public, max-age=31536000",
  });
  response.end(attachment.data);
  return 200;
}
