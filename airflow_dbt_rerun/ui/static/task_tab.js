// The tab "dbt heal" of a task.

import {component} from "./react.js";
import {viewTask} from "./task.js";
import {startTask} from "./task_model.js";

const taskOf = ({dagId, runId, taskId, mapIndex}) => ({
  dagId,
  runId,
  taskId,
  mapIndex: /^\d+$/.test(mapIndex ?? "") ? Number(mapIndex) : -1,
});

globalThis["dbt heal"] = globalThis.AirflowPlugin = component(startTask, viewTask, taskOf);
