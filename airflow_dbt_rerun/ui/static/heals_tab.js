// The page "dbt heals" of the navigation.

import {startHeals, viewHeals} from "./heals.js";
import {component} from "./react.js";
import {tabPath} from "./task.js";

globalThis["dbt heals"] = globalThis.AirflowPlugin = component((_, show) => startHeals(tabPath, show), viewHeals, () => "heals");
