import { afterAll, vi } from "vitest";

// Files of unit tests share their modules: one that ends while a module is being loaded for it would leave that module broken for those after it.
afterAll(() => vi.dynamicImportSettled());
