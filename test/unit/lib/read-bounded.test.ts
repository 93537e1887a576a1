import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readBounded, TooLarge } from "../../../src/lib/read-bounded.ts";

async function* piecewise(pieces: Uint8Array[], ended: { by?: string } = {}): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces;
    ended.by = "its end";
  } finally {
    ended.by ??= "the reader";
  }
}

test("gives all bytes in order up to the bound, else throws", async () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(pieces, fc.nat(120), async (chunks, maxBytes) => {
      const whole = Buffer.concat(chunks);
      const reading = readBounded(piecewise(chunks), maxBytes);
      if (whole.byteLength > maxBytes) await expect(reading).rejects.toBeInstanceOf(TooLarge);
      else expect(Buffer.from(await reading).equals(whole)).toBe(true);
    }),
  );
});

test("stops an endless body at the bound and closes it", async () => {
  const ended: { by?: string } = {};
  let given = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        given += 1;
        yield new Uint8Array(10);
      }
    } finally {
      ended.by = "the reader";
    }
  }
  await expect(readBounded(endless(), 95)).rejects.toBeInstanceOf(TooLarge);
  expect([given, ended.by]).toEqual([10, "the reader"]);
});

test("an error of the body passes through", async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1);
    throw new Error("reset");
  }
  await expect(readBounded(broken(), 10)).rejects.toThrow("reset");
});
