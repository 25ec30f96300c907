import { describeEveryField } from "../../contract/input/describe-every-field.js";

describeEveryField(Number.POSITIVE_INFINITY);
