import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { kindNamed } from "../../../../lib/kinds/kinds.js";
import { readManifests } from "../../../../tui/cli/apply/manifest.js";
import { resourceFromFile } from "../../../../tui/cli/input/resource-file.js";

const missing = join(import.meta.dirname, "no-such-file.yaml");
const how = { input: Readable.from([]), signal: new AbortController().signal };

it.each<[string, () => Promise<unknown>]>([
  ["apply and diff", () => readManifests([missing], how)],
  ["create", () => resourceFromFile(kindNamed("lan"), missing, how)],
])("a file that is not there is told of by %s in words, without the system's", async (_, read) => {
  await expect(read()).rejects.toMatchObject({
    message: expect.stringMatching(/no-such-file\.yaml does not exist$/),
    reason: "INVALID_FIELD",
  });
});
