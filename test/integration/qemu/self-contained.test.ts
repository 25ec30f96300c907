import { chmod, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { giveFile } from "../../../agent/drivers/qemu/blocks/block-engine.js";
import { startBlockProcess } from "../../../agent/drivers/qemu/blocks/block-process.js";
import { assertSelfContained } from "../../../agent/drivers/qemu/blocks/self-contained.js";
import { run } from "../../../agent/host/exec.js";
import { runTag } from "../../helpers/run-tag.js";

const resource = "hosts/h1/instances/vm1";
const user = 65_534;

test("an image that names another file for its data is found when QEMU has it open", async () => {
  const directory = await mkdtemp(join(tmpdir(), `${runTag}-self-`));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o755);
  const data = join(directory, "data.raw");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", join(directory, "whole.qcow2"), "1M"]);
  const outside = ["-o", `data_file=${data},data_file_raw=on`, join(directory, "outside.qcow2"), "1M"];
  await run("qemu-img", ["create", "-q", "-f", "qcow2", ...outside]);
  await chmod(data, 0o666);
  await using engine = await startBlockProcess({ resource, directory, user, signal: new AbortController().signal });
  const add = async (node: string) => {
    await using file = await open(join(directory, `${node}.qcow2`));
    const { filename } = await giveFile(engine, file);
    const opened = { driver: "file", filename, "read-only": true };
    await engine.execute("blockdev-add", { driver: "qcow2", "node-name": node, "read-only": true, file: opened });
  };
  await add("whole");
  await assertSelfContained(engine, resource);
  await add("outside");
  await expect(assertSelfContained(engine, resource)).rejects.toMatchObject({ reason: "IMAGE_CHANGED", resource });
});
