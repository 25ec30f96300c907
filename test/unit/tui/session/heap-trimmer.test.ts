import { describe, expect, it } from "vitest";
import { HeapTrimmer, ownHeap } from "../../../../tui/session/heap-trimmer.js";

const mib = 1024 * 1024;

describe("the heap trimmer", () => {
  it("collects when the heap has grown, and not again before it has grown anew", () => {
    const heap = { bytes: 100 * mib, collections: 0 };
    const trimmer = new HeapTrimmer({
      sizeBytes: () => heap.bytes,
      collect: () => {
        heap.collections += 1;
        heap.bytes = 40 * mib;
      },
    });
    const wait = (seconds: number) => {
      for (let second = 0; second < seconds; second += 1) trimmer.tick();
    };
    wait(14);
    expect(heap.collections).toBe(0);
    wait(1);
    expect(heap.collections).toBe(1);
    heap.bytes = 60 * mib;
    wait(60);
    expect(heap.collections).toBe(1);
    heap.bytes = 70 * mib;
    wait(15);
    expect(heap.collections).toBe(2);
  });

  it("waits with what is felt until nothing is typed", () => {
    let collections = 0;
    const trimmer = new HeapTrimmer({
      sizeBytes: () => 100 * mib,
      collect: () => {
        collections += 1;
      },
    });
    for (let second = 0; second < 60; second += 1) {
      trimmer.typed();
      trimmer.tick();
    }
    expect(collections).toBe(0);
    trimmer.tick();
    expect(collections).toBe(0);
    trimmer.tick();
    expect(collections).toBe(1);
  });

  it("can collect the heap of this process", () => {
    const heap = ownHeap();
    let dropped: WeakRef<object> | undefined;
    (() => {
      dropped = new WeakRef({ big: new Array(1000).fill("x") });
    })();
    return new Promise<void>((resolve) => setTimeout(resolve)).then(() => {
      heap.collect();
      expect(dropped?.deref()).toBeUndefined();
      expect(heap.sizeBytes()).toBeGreaterThan(0);
    });
  });
});
