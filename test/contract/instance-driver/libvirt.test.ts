import { afterAll } from "vitest";
import { startLibvirt } from "../../helpers/libvirtd.js";
import { describeDriver } from "./contract.js";
import { libvirtSubject } from "./libvirt-subject.js";

// The hypervisor that libvirt has for tests. Those that are real are tried by test/soak/libvirt/hypervisors.test.ts.
const libvirt = await startLibvirt();
const keeping = new AbortController();
afterAll(async () => {
  keeping.abort();
  await libvirt[Symbol.asyncDispose]();
});

describeDriver(await libvirtSubject(libvirt, { hypervisor: "test", signal: keeping.signal }));
