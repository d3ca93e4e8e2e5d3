/** The base map, which folium's own script makes before ours runs. */
declare const map_hotspots: import("leaflet").Map;
