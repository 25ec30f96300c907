import { writeFile } from "node:fs/promises";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  checkReference,
  formatReference,
  type ImageReference,
  parseReference,
} from "../../../../../agent/drivers/engine-api/image-reference.js";
import { getRule, readLogin } from "../../../../../agent/drivers/engine-api/registry-policy.js";

const digest = `sha256:${"a".repeat(64)}`;

describe("the name of an image", () => {
  it.each([
    ["debian", "docker.io/library/debian:latest"],
    ["debian:12", "docker.io/library/debian:12"],
    ["frrouting/frr", "docker.io/frrouting/frr:latest"],
    ["localhost/frr:9", "localhost/frr:9"],
    ["127.0.0.1:5000/lab/frr:9", "127.0.0.1:5000/lab/frr:9"],
    ["registry.example.com/lab/frr", "registry.example.com/lab/frr:latest"],
    [`debian@${digest}`, `docker.io/library/debian@${digest}`],
    [`debian:12@${digest}`, `docker.io/library/debian:12@${digest}`],
  ])("%s is understood as engines do", (text, whole) => {
    expect(formatReference(parseReference(text) as ImageReference)).toBe(whole);
    expect(checkReference("image", text)).toEqual([]);
  });

  it.each([
    ...["", "../outside", "/etc/passwd", "a\nb", "a\0b", "-x,y=z", "Debian", "a b", "a:", "a:b:c", "a//b", "a/../b"],
    ...["a?x=1", "a#b", "%2e%2e", "a@sha256:12", `${"a".repeat(300)}`, ".a", "a:-b"],
  ])("%j is none, and the field is named", (text) => {
    expect(parseReference(text)).toBeUndefined();
    expect(checkReference("instance.spec.docker.image", text)).toMatchObject([{ field: "instance.spec.docker.image" }]);
  });
});

describe("the policy for images that are fetched", () => {
  const allowed = [
    { images: "docker.io/library" },
    { images: "registry.example.com", username: "lab", passwordFile: "/nowhere/password" },
    { images: "registry.example.com/open/frr" },
  ];
  const rule = (text: string) => getRule(parseReference(text) as ImageReference, { field: "image", allowed }).images;

  it("takes the longest rule that fits", () => {
    expect(rule("debian:12")).toBe("docker.io/library");
    expect(rule("registry.example.com/lab/frr")).toBe("registry.example.com");
    expect(rule("registry.example.com/open/frr:9")).toBe("registry.example.com/open/frr");
  });

  it.each(["frrouting/frr", "docker.io/library2/debian", "registry.example.com.evil.example/x", "quay.io/x/y"])(
    "refuses %s and names the setting",
    (text) => {
      expect(() => rule(text)).toThrow(
        expect.objectContaining({
          reason: "POLICY",
          message: expect.stringContaining("registries setting"),
          violations: [expect.objectContaining({ field: "image" })],
        }),
      );
    },
  );

  it("reads the password whenever it is needed, and says which setting is at fault when it cannot", async () => {
    await using directory = await mkdtempDisposable(join(tmpdir(), "zt-login-"));
    const passwordFile = join(directory.path, "password");
    const image = parseReference("registry.example.com/lab/frr") as ImageReference;
    const of = () => readLogin({ images: "registry.example.com", username: "lab", passwordFile }, image);
    await expect(of()).rejects.toMatchObject({ message: expect.stringContaining("registries setting") });
    await writeFile(passwordFile, "secret\n");
    const { "X-Registry-Auth": header = "" } = await of();
    const login: unknown = JSON.parse(Buffer.from(header, "base64url").toString());
    expect(login).toEqual({ username: "lab", password: "secret", serveraddress: "registry.example.com" });
    expect(await readLogin({ images: "docker.io" }, image)).toEqual({});
  });
});
