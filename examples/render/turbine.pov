// SPDX-License-Identifier: Apache-2.0
// A water turbine at the end of its penstock. Twelve frames make a seamless loop: the wheel has six
// blades, so a sixth of a turn brings the picture back to itself. Declare=Frame=N Declare=Frames=12
#version 3.7;
#ifndef (Frame) #declare Frame = 0; #end
#ifndef (Frames) #declare Frames = 12; #end
#declare Turn = Frame / Frames;
#declare Blades = 6;

global_settings { assumed_gamma 1 max_trace_level 5 }

camera {
    location <sin(0.35) * 9, 4.2, -9>
    look_at <-0.5, 2.1, 0>
    right x * image_width / image_height
    angle 50
}

light_source { <8, 14, -12> rgb 1.1 }
light_source { <-12, 6, -6> rgb <0.25, 0.3, 0.4> shadowless }

sky_sphere {
    pigment {
        gradient y
        color_map { [0 rgb <0.75, 0.83, 0.9>] [0.5 rgb <0.28, 0.45, 0.7>] [1 rgb <0.1, 0.2, 0.45>] }
    }
}

#declare Steel = texture {
    pigment { rgb <0.62, 0.66, 0.7> }
    finish { ambient 0.05 diffuse 0.5 specular 0.7 roughness 0.02 reflection { 0.18 metallic } metallic }
}
#declare Copper = texture {
    pigment { rgb <0.8, 0.42, 0.22> }
    finish { ambient 0.05 diffuse 0.55 specular 0.6 roughness 0.03 reflection { 0.12 metallic } metallic }
}
#declare Concrete = texture {
    pigment { granite scale 0.6 color_map { [0 rgb 0.55] [1 rgb 0.72] } }
    finish { ambient 0.05 diffuse 0.75 }
}
#declare Water = texture {
    pigment { rgb <0.1, 0.28, 0.36> }
    normal { ripples 0.12 frequency 5 phase Turn scale 1.6 translate <0, 0, -1> }
    finish { ambient 0.02 diffuse 0.35 specular 0.8 roughness 0.004 reflection 0.42 }
}

// The tail water, and the hall's floor around it.
difference {
    plane { y, 0 }
    box { <-4, -2, -5>, <4, 1, 3> }
    texture { pigment { checker rgb 0.62 rgb 0.5 scale 0.8 } finish { ambient 0.05 diffuse 0.75 } }
}
plane { y, -0.35 texture { Water } }

// The wheel: hub, blades bent like spoons, rim.
#declare Blade = difference {
    sphere { 0, 0.62 scale <0.55, 1, 0.9> }
    sphere { <0.34, 0.05, 0>, 0.62 scale <0.6, 0.95, 1> }
    translate y * 1.35
}
#declare Wheel = union {
    cylinder { -0.45 * z, 0.45 * z, 0.7 texture { Steel } }
    torus { 1.95, 0.09 rotate x * 90 texture { Copper } }
    #for (I, 0, Blades - 1)
        object { Blade texture { Copper } rotate z * I * 360 / Blades }
        cylinder { 0, 1.95 * y, 0.07 texture { Steel } rotate z * (I + 0.5) * 360 / Blades }
    #end
    cone { -0.45 * z, 0.7, -0.95 * z, 0.15 texture { Steel } }
}
object { Wheel rotate z * Turn * 360 / Blades translate <0, 2.1, 0> }

// Shaft and bearing behind it.
cylinder { <0, 2.1, 0.4>, <0, 2.1, 3.2>, 0.16 texture { Steel } }
box { <-0.7, -0.35, 2.2>, <0.7, 2.6, 3.1> texture { Concrete } }

// The penstock comes down from the left and ends in a nozzle.
union {
    cylinder { <-9, 8.2, 1.2>, <-3.3, 3.9, 0>, 0.62 }
    sphere { <-3.3, 3.9, 0>, 0.62 }
    cone { <-3.3, 3.9, 0>, 0.62, <-1.9, 3.4, 0>, 0.24 }
    torus { 0.68, 0.1 rotate z * 53 translate <-4.6, 4.88, 0.27> }
    torus { 0.68, 0.1 rotate z * 53 translate <-6.6, 6.39, 0.69> }
    texture { Steel }
}

// The jet, and drops that fly on in step with the loop.
cylinder {
    <-1.9, 3.4, 0>, <-0.75, 2.98, 0>, 0.17
    pigment { rgbf <0.75, 0.9, 0.95, 0.75> }
    finish { specular 0.9 roughness 0.005 reflection 0.1 }
}
#declare Chance = seed(20);
#for (I, 0, 59)
    #declare Age = mod(rand(Chance) + Turn, 1) * 0.85;
    #declare Side = rand(Chance) - 0.5;
    #declare Speed = 0.8 + 1.6 * rand(Chance);
    sphere {
        <-0.7 - Speed * Age, 2.9 + 1.5 * Age - 4.6 * Age * Age, Side * (0.4 + 2 * Age)>, 0.035 + 0.03 * rand(Chance)
        pigment { rgbf <0.8, 0.93, 1, 0.5> }
        finish { specular 0.9 roughness 0.01 ambient 0.2 }
    }
#end
