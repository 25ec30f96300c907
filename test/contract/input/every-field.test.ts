import { describeEveryField } from "./describe-every-field.js";

describeEveryField(3);
