import type { ExecRequest } from "../../proto/gen/zor/v1/exec_service.js";
import { spawnOwned } from "./owned.js";

/** What the scripts do inside, done by the shell of this machine; the connection is lost after so many bytes either way. */
export function guest(lostAfter = Number.POSITIVE_INFINITY, env: Readonly<Record<string, string>> = {}) {
  let left = lostAfter;
  const passed = (data: Buffer): Buffer => {
    left -= data.length;
    if (left < 0) throw new Error("the connection was lost");
    return data;
  };
  async function* bidi(_: unknown, requests: AsyncIterable<ExecRequest>): AsyncGenerator<object> {
    const all = requests[Symbol.asyncIterator]();
    const { message: first } = (await all.next()).value as ExecRequest;
    const [file = "", ...words] = first?.$case === "start" ? first.value.command : [];
    const child = spawnOwned(file, words, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...env } });
    child.stdin.on("error", () => undefined);
    const code = new Promise<number>((resolve) => child.once("close", (ended) => resolve(ended ?? -1)));
    let said = "";
    child.stderr.on("data", (data: Buffer) => {
      said += data.toString();
    });
    let failure: unknown;
    const sending = (async () => {
      for (;;) {
        const { value, done } = await all.next();
        if (done === true || value.message?.$case !== "stdin") break;
        child.stdin.write(passed(value.message.value));
      }
    })().catch((error: unknown) => {
      failure = error;
    });
    void sending.then(() => child.stdin.end());
    for await (const data of child.stdout) yield { message: { $case: "stdout", value: passed(data as Buffer) } };
    await sending;
    if (failure !== undefined) throw failure;
    const ended = await code;
    yield { message: { $case: "stderr", value: Buffer.from(said) } };
    yield { message: { $case: "exit", value: { code: ended, truncated: false } } };
  }
  return { bidi } as never;
}
