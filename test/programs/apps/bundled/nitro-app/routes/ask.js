/** A route of Nitro that asks IMDS through the guard. */
import { doors } from "../../index-doors.mjs";
import { outcomeOf } from "../../signed-by.mjs";

// eslint-disable-next-line no-undef -- Nitro's own
export default defineEventHandler(() => outcomeOf(doors));
