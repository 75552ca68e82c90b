/** A route of Next that asks IMDS through the guard. */
import { doors } from "../../../index-doors.mjs";
import { outcomeOf } from "../../../signed-by.mjs";

export const dynamic = "force-dynamic";
export const GET = async () => Response.json(await outcomeOf(doors));
