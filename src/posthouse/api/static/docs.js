// Shows the API's own document. The key goes in by "Authorize" and is forgotten with the page.
window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#operations",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  operationsSorter: "alpha",
  persistAuthorization: false,
  tagsSorter: "alpha",
  validatorUrl: null,
});
