import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseReference } from "../../../../../agent/drivers/engine-api/image-reference.js";
import { readLogin } from "../../../../../agent/drivers/engine-api/registry-policy.js";
import { runTag } from "../../../../helpers/run-tag.js";

it("is told to engines in whole groups of base64, whatever its length", async () => {
  const directory = await mkdtemp(join(tmpdir(), `${runTag}-l-`));
  const passwordFile = join(directory, "password");
  const image = parseReference("registry.example.com/lab/frr:9");
  if (image === undefined) throw new Error("not a reference");
  try {
    for (const password of ["a", "ab", "abc", "ÿÿ>?~"]) {
      await writeFile(passwordFile, `${password}\n`);
      const rule = { images: "registry.example.com", username: "lab", passwordFile };
      const { "X-Registry-Auth": header = "" } = await readLogin(rule, image);
      expect(header).toMatch(/^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?$/);
      const told: unknown = JSON.parse(Buffer.from(header, "base64url").toString());
      expect(told).toEqual({ username: "lab", password, serveraddress: "registry.example.com" });
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});
