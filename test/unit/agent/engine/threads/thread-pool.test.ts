import { fstatSync, openSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { ThreadPool } from "../../../../../agent/engine/threads/thread-pool.js";

type Order =
  | { readonly type: "say" | "leave" | "obey"; readonly member: number; readonly text: string }
  | { readonly type: "crash" };
interface Report {
  readonly type: "said" | "released" | "obeyed";
  readonly member: number;
  readonly text: string;
  readonly thread: number;
}

/** A thread that reads the eventfd before it takes orders: without it they stay where they are. It answers each with what it was told. */
const program = `
  const { parentPort, receiveMessageOnPort, threadId, workerData } = require("node:worker_threads");
  const { readSync } = require("node:fs");
  const count = new BigUint64Array(1);
  const isRaised = () => {
    try { return readSync(workerData, count) === 8; } catch (error) { if (error.code === "EAGAIN") return false; throw error; }
  };
  for (;;) {
    if (!isRaised()) { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1); continue; }
    for (let got = receiveMessageOnPort(parentPort); got !== undefined; got = receiveMessageOnPort(parentPort)) {
      const { type, member, text } = got.message;
      if (type === "stop") process.exit(0);
      if (type === "crash") throw new Error("out of order");
      if (type === "leave") parentPort.postMessage({ type: "said", member, text: "still here", thread: threadId });
      if (type === "obey") { parentPort.postMessage({ type: "obeyed", member, text, thread: threadId }); continue; }
      parentPort.postMessage({ type: type === "say" ? "said" : "released", member, text, thread: threadId });
    }
  }`;

let started = 0;
let exited = 0;
const crashes: string[] = [];
const pools: ThreadPool<Order, Report>[] = [];

function makePool(maxThreads: number): ThreadPool<Order, Report> {
  [started, exited] = [0, 0];
  crashes.length = 0;
  const pool = new ThreadPool<Order, Report>({
    start: (wakeFd) => {
      started += 1;
      return new Worker(program, { eval: true, workerData: wakeFd }).on("exit", () => {
        exited += 1;
      });
    },
    maxThreads,
    memberOf: ({ member }) => member,
    onCrash: ({ message }) => crashes.push(message),
  });
  pools.push(pool);
  return pool;
}

afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

test("a thread is woken by every order, and its reports come to the member they are about", async () => {
  const pool = makePool(1);
  const heard: string[] = [];
  const [one, two] = ["one", "two"].map((name) => pool.join(({ text }) => heard.push(`${name} ${text}`)));
  one?.post({ type: "say", member: one.member, text: "hello" });
  await expect.poll(() => heard).toEqual(["one hello"]);
  two?.post({ type: "say", member: two.member, text: "hi" });
  await expect.poll(() => heard).toEqual(["one hello", "two hi"]);
  expect(started).toBe(1);
});

test("an order that is asked for has been obeyed when it resolves, after those before it, and also when its thread ends", async () => {
  const pool = makePool(1);
  const heard: string[] = [];
  const [one, two] = ["one", "two"].map((name) => pool.join(({ text }) => heard.push(`${name} ${text}`)));
  one?.post({ type: "say", member: one.member, text: "hello" });
  const asked = [two?.ask({ type: "obey", member: two.member, text: "" })];
  asked.push(one?.ask({ type: "obey", member: one.member, text: "" }));
  asked.push(one?.ask({ type: "obey", member: one.member, text: "" }));
  await Promise.all(asked);
  expect(heard).toEqual(["one hello"]);
  const never = one?.ask({ type: "crash" });
  pools.pop();
  await never;
});

test("there are no more threads than allowed or than cores, and members are spread over them evenly", async () => {
  const threads = Math.min(2, availableParallelism());
  const pool = makePool(2);
  const members = new Map<number, number>();
  for (let index = 0; index < 6; index += 1) {
    const seat = pool.join(({ thread }) => members.set(thread, (members.get(thread) ?? 0) + 1));
    seat.post({ type: "say", member: seat.member, text: "" });
  }
  await expect.poll(() => [...members.values()]).toEqual(Array.from({ length: threads }, () => 6 / threads));
  expect(started).toBe(threads);
});

test("a member that leaves hears nothing more, and its descriptors are closed after the thread has let go of it", async () => {
  const pool = makePool(1);
  const heard: string[] = [];
  const seat = pool.join(({ text }) => heard.push(text));
  const fd = openSync("/dev/null", "r");
  await seat.leave({ type: "leave", member: seat.member, text: "" }, [fd]);
  expect(() => fstatSync(fd)).toThrow(/EBADF/);
  expect(heard).toEqual([]);
});

test("a thread that its members have left takes the next one", async () => {
  const pool = makePool(2);
  const seat = pool.join(() => undefined);
  await seat.leave({ type: "leave", member: seat.member, text: "" }, []);
  expect(pool.join(() => undefined).member).not.toBe(seat.member);
  expect(started).toBe(1);
});

test("closing resolves when all threads have ended", async () => {
  const pool = makePool(2);
  for (let index = 0; index < 2; index += 1) pool.join(() => undefined);
  await pools.pop()?.close();
  expect([exited, crashes]).toEqual([started, []]);
});

test("a thread that an error ends is told", async () => {
  const pool = makePool(1);
  // It has ended already: closing would wait for it.
  pools.pop();
  pool.join(() => undefined).post({ type: "crash" });
  await expect.poll(() => crashes).toEqual(["out of order"]);
});
