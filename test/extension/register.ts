import { addDescriptors } from "../../lib/grpc/descriptors.js";
import { addCodecs } from "../../lib/kinds/codecs.js";
import { addKinds } from "../../lib/kinds/kinds.js";
import { codecTable, serviceTable } from "./gen/codecs.js";
import { fileDescriptorSetBase64 } from "./gen/descriptors.js";
import { kindTable, methodTable } from "./gen/kinds.js";

// What `npm run gen` makes for the project's own kinds, made for those of the tests: importing this module adds them to this process.
addKinds({ kinds: kindTable, methods: methodTable });
addCodecs({ codecs: codecTable, services: serviceTable });
addDescriptors(fileDescriptorSetBase64);
