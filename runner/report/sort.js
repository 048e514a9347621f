// A click on a column's title sorts its table by it; a second click sorts the other way round.
document.querySelectorAll("table.sortable th button").forEach(function (button) {
  button.addEventListener("click", function () {
    var title = button.parentNode;
    var titles = Array.from(title.parentNode.children);
    var body = title.closest("table").tBodies[0];
    var ascending = title.getAttribute("aria-sort") !== "ascending";
    titles.forEach(function (one) { one.setAttribute("aria-sort", "none"); });
    title.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    var place = titles.indexOf(title);
    var rows = Array.from(body.rows);
    rows.sort(function (one, other) {
      var order = one.cells[place].textContent.localeCompare(other.cells[place].textContent, "en", { numeric: true });
      return ascending ? order : -order;
    });
    rows.forEach(function (row) { body.appendChild(row); });
  });
});
