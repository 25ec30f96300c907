import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig, type Running } from "../../integration/reach/rig.js";

let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.create("c1", { crun: { rootfs: "micro" } });
  await rig.create("m1", { qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro" } });
  for (const id of ["c1", "m1"]) {
    await rig.answers(id);
    await rig.zor("exec", `zt/${id}`, "-d", "--", "sh", "-c", "nc -ll -p 7000 -e cat");
  }
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** What of ours is inside: commands, pipes, and what copies are called before they are whole. */
const left = (id: string) =>
  rig.shell(
    id,
    "ps | grep -E '[s]leep 47|[t]ar -|[n]c 127|root +[c]at$'; ls -d /run/zor-* /tmp/.zor-cp-* 2>/dev/null; true",
  );
/** The pipes of the command that looks are its own. */
const onlyOwnPipes = /^(\/run\/zor-[0-9a-f]+\n)?$/;

describe.each(["c1", "m1"])("of what ran in %s nothing is left when", (id) => {
  it("zor is killed", async () => {
    const work = await begin(id, "4731");
    for (const program of work.programs) program.kill("SIGKILL");
    await Promise.all(work.programs.map((program) => program.ended));
    work.socket.destroy();
    await eventually(async () => expect(await left(id)).toMatch(onlyOwnPipes));
    expect((await readdir(work.here)).filter((name) => name !== "big")).toEqual([]);
  });

  it("the hub is killed, and each says so", async () => {
    const work = await begin(id, "4732");
    await rig.hub.kill();
    const [exec, into, forward] = work.programs;
    for (const program of [exec, into]) {
      const { code, stderr } = await program.ended;
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/^zor: .*(connection|hub)/im);
    }
    await eventually(() => expect(work.socket.closed).toBe(true));
    forward.kill("SIGINT");
    expect((await forward.ended).stderr).toMatch(/connection/i);
    await rig.hub.run();
    await rig.reconnect();
    await eventually(async () => expect(await left(id)).toMatch(onlyOwnPipes));
    expect((await readdir(work.here)).filter((name) => name !== "big")).toEqual([]);
  });
});

interface Work {
  readonly programs: readonly [exec: Running, into: Running, forward: Running];
  readonly socket: Socket;
  /** A directory that is copied from, and to. */
  readonly here: string;
}

/** A command, a copy that waits for its instance, and a connection, all under way. */
async function begin(id: string, mark: string): Promise<Work> {
  const here = join(rig.directory, `${id}-${mark}`);
  await mkdir(here);
  await writeFile(join(here, "big"), Buffer.alloc(64 * 1024 * 1024));
  const exec = rig.program("exec", `zt/${id}`, "--", "sh", "-c", `sleep ${mark} & sleep ${mark}`);
  const into = rig.program("cp", join(here, "big"), `zt/${id}:/tmp/big`);
  const forward = rig.program("port-forward", `zt/${id}`, "0:7000");
  const [, port = 0] = /:(\d+) ->/.exec(await forward.said(/->/)) ?? [];
  const socket = connect({ host: "127.0.0.1", port: Number(port) });
  socket.on("error", () => undefined);
  socket.write("x");
  await once(socket, "data");
  await eventually(async () => expect(await left(id)).toMatch(new RegExp(`sleep ${mark}(.|\\n)*zor-cp`)));
  return { programs: [exec, into, forward], socket, here };
}
