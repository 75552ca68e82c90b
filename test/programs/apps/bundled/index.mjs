import { doors } from "./index-doors.mjs";
import { print } from "./signed-by.mjs";

void print(doors);
