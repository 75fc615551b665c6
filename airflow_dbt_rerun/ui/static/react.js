// The views as components of Airflow's own React; both are given to Airflow under their names.

import {addStyle, tick} from "./common.js";
import {refreshAirflow} from "./refresh.js";

// start(what, show, refresh) begins to look and returns the model; view(h, state, model) draws a state; refresh() lets
// Airflow read its own data anew, and returns whether it could be told.
export function component(start, view, whatOf) {
  return function DbtRerun(properties) {
    const R = globalThis.React;
    const what = whatOf(properties);
    const key = JSON.stringify(what);
    const [state, show] = R.useState(null);
    const model = R.useRef(null);
    const root = R.useRef(null);
    R.useEffect(() => {
      addStyle();
      show(null);
      bringIntoView(root.current);
      model.current = start(what, show, () => refreshAirflow(root.current));
      const clock = setInterval(tick, 1000);
      return () => {
        clearInterval(clock);
        model.current.stop();
      };
    }, [key]);
    R.useEffect(tick);
    return R.createElement("div", {className: "dbt-rerun", ref: root}, view(spread, state, model.current));
  };
}

// Airflow's pages of a DAG are 1,280 pixels wide, however narrow the screen: there our part is off it, to the right.
function bringIntoView(element) {
  if (matchMedia("(max-width: 48rem)").matches) element.scrollIntoView({block: "nearest", inline: "start"});
}

// React wants no keys for children that are given one by one, as the views do.
const spread = (tag, properties, ...children) => globalThis.React.createElement(tag, properties, ...children);
