import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // End-to-end tests mostly wait for sockets and processes, so more of them than cores run side by side.
    maxWorkers: 4,
  },
});
