import { describe, expect, it } from "vitest";
import { failedPrecondition, ZorError } from "../../../lib/errors.js";
import { fromStatus } from "../../../lib/grpc/status-codec.js";
import { type OperationContext, Operations } from "../../../lib/operations.js";
import { type Operation, OperationState as State } from "../../../proto/gen/zor/v1/operation.js";

function setUp() {
  const published: Operation[] = [];
  const operations = new Operations({
    prefix: "operations",
    publish: (operation) => published.push(operation),
    forget: () => undefined,
  });
  const start = (work: (context: OperationContext) => Promise<void>) =>
    operations.start({ verb: "test.run", target: "links/l", requestId: "", caller: "zor://user/ana", work }).name;
  const wait = (name: string) => operations.wait(name, 5_000, new AbortController().signal);
  return { operations, published, start, wait };
}

describe("an operation", () => {
  it("tells its progress and its end", async () => {
    const { published, start, wait } = setUp();
    const name = start(async ({ progress }) => {
      progress("copying", 40);
    });
    expect(await wait(name)).toMatchObject({ state: State.OPERATION_STATE_SUCCEEDED, progressPercent: 100 });
    expect(published.map((operation) => operation.step)).toEqual(["begun", "copying", "done"]);
  });

  it("that fails keeps the error with its reason", async () => {
    const { start, wait } = setUp();
    const ended = await wait(
      start(() => Promise.reject(failedPrecondition("LAN_GONE", "hosts/h/lans/l", "the lan is gone"))),
    );
    expect(ended.state).toBe(State.OPERATION_STATE_FAILED);
    expect(ended.error === undefined ? undefined : fromStatus(ended.error)).toMatchObject({
      reason: "LAN_GONE",
      resource: "hosts/h/lans/l",
    });
  });

  it("is cancelled through its signal, and undoes before it ends", async () => {
    const { operations, start, wait } = setUp();
    let undone = false;
    const name = start(async ({ signal }) => {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      undone = true;
      throw new Error("stopped");
    });
    operations.cancel(name);
    expect(await wait(name)).toMatchObject({ state: State.OPERATION_STATE_CANCELLED });
    expect(undone).toBe(true);
    expect(() => operations.cancel(name)).toThrow(/has ended already/);
  });

  it("is waited for no longer than asked", async () => {
    const { operations, start } = setUp();
    const name = start(
      ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("end")))),
    );
    expect(await operations.wait(name, 20, new AbortController().signal)).toMatchObject({
      state: State.OPERATION_STATE_RUNNING,
    });
    await operations.close();
  });

  it("that does not exist is not found", async () => {
    const { operations } = setUp();
    await expect(operations.wait("operations/none", 10, new AbortController().signal)).rejects.toBeInstanceOf(ZorError);
  });
});
