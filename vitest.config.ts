import { defineConfig } from "vitest/config";

const project = (name: string, timeoutMs: number, serial: boolean) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.{ts,tsx}`],
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    fileParallelism: !serial,
  },
});

export default defineConfig({
  test: {
    reporters: ["default"],
    projects: [
      project("unit", 20_000, false),
      project("contract", 120_000, true),
      project("integration", 180_000, true),
      project("e2e", 300_000, true),
      { test: { name: "soak", include: ["test/soak/**/*.test.ts"], testTimeout: 3_600_000, fileParallelism: false } },
    ],
  },
});
