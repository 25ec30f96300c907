import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { chosenOf, findDebs } from "../../../../tui/cli/install/debs.js";

async function directory(files: Readonly<Record<string, string>>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "zor-debs-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return path;
}

const index = `Package: qemu-utils
Version: 1:7.2+dfsg-7
Description: Version: of a disk
Filename: ./qemu-utils_7.2+dfsg-7_amd64.deb

Package: swtpm
Version: 0.7.1-1.3
Filename: ./swtpm_0.7.1-1.3_amd64.deb

Package: libtpms0
Version: 0.9.2-3
Filename: ./libtpms0_0.9.2-3_amd64.deb

`;

test("a host is sent what apt would install, whatever epochs versions have and whatever it is an upgrade of", async () => {
  const path = await directory({
    "qemu-utils_1%3a7.2+dfsg-7_amd64.deb": "12345",
    "swtpm_0.7.1-1.3_amd64.deb": "1",
    "libtpms0_0.9.2-3_amd64.deb": "2",
    Packages: index,
    "offline.json": '{"system": {"id": "debian", "version": "12"}, "packages": []}',
  });
  const debs = await findDebs(path);
  expect(debs).toMatchObject({ index, system: { id: "debian", version: "12" } });
  const plan = `NOTE: This is only a simulation!
Inst swtpm [0.7.0-1] (0.7.1-1.3 localhost [amd64])
Inst qemu-utils (1:7.2+dfsg-7 localhost [amd64])
Conf swtpm (0.7.1-1.3 localhost [amd64])
`;
  expect(debs && chosenOf(plan, index, debs)).toMatchObject([
    { name: "qemu-utils_7.2+dfsg-7_amd64.deb", bytes: 5 },
    { name: "swtpm_0.7.1-1.3_amd64.deb", bytes: 1 },
  ]);
  expect(debs && chosenOf("Inst libtpms0:amd64 (0.9.2-3 localhost [amd64])", index, debs)).toHaveLength(1);
});

test("a directory without packages, and files that are named as none is, are refused before any host is looked at", async () => {
  expect(await findDebs(undefined)).toBeUndefined();
  await expect(findDebs(await directory({ "notes.txt": "" }))).rejects.toThrow(
    /there are no \.deb files in .*npm run package/,
  );
  await expect(findDebs(await directory({ "a b;.deb": "" }))).rejects.toThrow(
    "a b;.deb is not named as Debian packages are",
  );
  await expect(findDebs("/nowhere/at/all")).rejects.toThrow("/nowhere/at/all cannot be read");
  await expect(findDebs(await directory({ "a_1_all.deb": "", "offline.json": "{" }))).rejects.toThrow(
    /offline\.json cannot be read/,
  );
});
