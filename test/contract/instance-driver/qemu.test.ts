import { describeDriver } from "./contract.js";
import { qemuSubject } from "./qemu-subject.js";

describeDriver(qemuSubject);
