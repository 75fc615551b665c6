// The page "dbt heals" of the navigation.

import {tabPath} from "./common.js";
import {startHeals, viewHeals} from "./heals.js";
import {component} from "./react.js";

globalThis["dbt heals"] = globalThis.AirflowPlugin = component((_, show) => startHeals(tabPath, show), viewHeals, () => "heals");
