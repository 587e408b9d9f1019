// Below an asset of Airflow: the Streams page, narrowed to the asset's table.
globalThis.StreamsOfAsset = () => {
  const { pathname } = globalThis.ReactRouterDOM.useLocation();
  const asset = pathname.match(/^\/assets\/(\d+)/);
  return asset
    ? globalThis.React.createElement("iframe", {
        title: "Streams",
        src: new URL(`streams/?asset=${asset[1]}`, document.baseURI).href,
        style: { border: 0, width: "100%", height: "10.5rem", flexShrink: 0 },
      })
    : null;
};
