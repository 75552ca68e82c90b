import "imds-guard/register";
import { print, ssrf } from "./signed-by.mjs";

void print({ ssrf });
