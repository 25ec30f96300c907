import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findControlGroups, removeControlGroups } from "../../../deploy/demo/control-groups.js";
import { layOut } from "../../../deploy/demo/layout.js";

test("the control groups of a demo's own containers are found and removed, and no others", async () => {
  const directory = await mkdtemp(join(tmpdir(), "zt-groups-"));
  const [alpha, beta] = layOut("zt", 1).hosts;
  const layout = {
    hosts: [
      { ...alpha, state: join(directory, "alpha") },
      { ...beta, state: join(directory, "none") },
    ],
  } as const;
  const driver = join(directory, "alpha", "instances", "c1", "driver");
  await mkdir(driver, { recursive: true });
  await writeFile(join(driver, "config.json"), JSON.stringify({ linux: { cgroupsPath: "/zor-0a1b" } }));
  const names = await findControlGroups(layout);
  expect(names).toEqual(["zor-0a1b"]);
  const groups = join(directory, "cgroup");
  for (const path of ["pids/zor-0a1b", "pids/zor-ffff", "cpu/zor-0a1b"])
    await mkdir(join(groups, path), { recursive: true });
  await removeControlGroups(names, groups);
  expect([await readdir(join(groups, "pids")), await readdir(join(groups, "cpu"))]).toEqual([["zor-ffff"], []]);
  await rm(directory, { recursive: true });
});
