import { describeDriver } from "./contract.js";
import { crunSubject } from "./crun-subject.js";

describeDriver(crunSubject);
