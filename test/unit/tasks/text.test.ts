import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FormData, Response } from "undici";
import { countCharacters, countSent, isShort } from "../../../src/tasks/text.ts";

test("characters are counted as a multipart form carries them", async () => {
  const piece = fc.constantFrom("a", "😀", "e\u0301", "\n", "\r", "\r\n", " ");
  const property = fc.asyncProperty(fc.array(piece), async (pieces) => {
    const form = new FormData();
    form.set("text", pieces.join(""));
    const received = (await new Response(form).formData()).get("text") as string;
    expect(countSent(pieces.join(""))).toBe(Array.from(received).length);
  });
  await fc.assert(property);
});

test("a line end counts as one for people and as two for the API", () => {
  const text = `${"a".repeat(499)}\n${"😀".repeat(498)}`;
  expect([countCharacters(text), countSent(text)]).toEqual([998, 999]);
  expect(isShort(text)).toBe(true);
  expect(isShort(text.replace("a", "\n"))).toBe(false);
});
