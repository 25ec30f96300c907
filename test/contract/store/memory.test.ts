import type { Store } from "../../../hub/store/store.js";
import { type MemoryRecords, MemoryStore } from "../../fakes/memory-store.js";
import { testStore } from "./contract.js";

testStore("the store in memory that tests use", async () => {
  const kept: MemoryRecords = { records: new Map(), revision: 0n };
  let store: Store = new MemoryStore(kept);
  return {
    get store() {
      return store;
    },
    reopen: async () => {
      await store.close();
      store = new MemoryStore(kept);
    },
    [Symbol.asyncDispose]: async () => store.close(),
  };
});
